/** Where webhooks are: a path is one route, whatever its methods. */
import type { Context, Hono, Next } from "hono";
import { invalid } from "../../definition/check.ts";
import { checkWebhook, type WebhookOptions } from "../../definition/webhook-options.ts";
import { type PathPattern, pathPatterns, relation } from "../../definition/webhook-path.ts";
import type { WebhookTrigger } from "../../definition.ts";
import { RETRY_AFTER, refuse } from "../answers.ts";
import type { HttpEngine } from "../engine.ts";
import type { Admission } from "./admission.ts";
import { Webhook } from "./webhook.ts";

/**
 * Serves one webhook trigger. Those whose paths match the same are added with the more specific one first. Throws an
 * `InvalidError` when it is not defined as it should be.
 */
export function addWebhook(
  routes: Hono,
  engine: HttpEngine,
  workflowId: string,
  trigger: WebhookTrigger,
  admission: Admission,
): void {
  const { path } = trigger;
  const options: WebhookOptions = trigger.options;
  checkWebhook(workflowId, path, options);
  if (options.verify === undefined && engine.http.isProduction) {
    throw invalid(
      `Workflow \`${workflowId}\`, webhook \`${path}\`: in production it must be said who may send. Give \`verify\`, or \`verify: "none"\` if anybody may.`,
    );
  }
  for (const pattern of pathPatterns(workflowId, path)) {
    endpoint(routes, pattern, admission).add(new Webhook(engine, workflowId, pattern.path, options));
  }
}

/** The endpoints of an app by what their paths match, in the order in which they are tried. */
const endpoints = new WeakMap<Hono, Map<string, Endpoint>>();

function endpoint(routes: Hono, pattern: PathPattern, admission: Admission): Endpoint {
  const all = endpoints.get(routes) ?? new Map<string, Endpoint>();
  endpoints.set(routes, all);
  const { path, segments } = pattern;
  const key = JSON.stringify(segments.map(({ rank, text }) => [rank, text]));
  const found = all.get(key);
  if (found !== undefined) {
    if (found.pattern.path === path) return found;
    throw invalid(
      `The webhooks \`${found.pattern.path}\` and \`${path}\` are the same path: call its parameters the same.`,
    );
  }
  const made = new Endpoint(pattern, admission, all);
  all.set(key, made);
  // One handler for all methods: Hono is fastest when only one matches.
  routes.all(path, (context, next) => made.serve(context, next));
  return made;
}

/** All webhooks of one path. */
class Endpoint {
  readonly #webhooks = new Map<string, Webhook>();
  #wider: readonly Endpoint[] | undefined;

  constructor(
    readonly pattern: PathPattern,
    readonly admission: Admission,
    /** All endpoints of the app. */
    readonly all: ReadonlyMap<string, Endpoint>,
  ) {}

  add(webhook: Webhook): void {
    this.#webhooks.set(webhook.method, webhook);
  }

  async serve(context: Context, next: Next): Promise<Response | undefined> {
    const { admission } = this;
    const { method } = context.req;
    const webhook = this.#webhooks.get(method);
    if (webhook === undefined && this.#others().some((other) => other.#webhooks.has(method))) {
      await next();
      return undefined;
    }
    if (!admission.enter()) {
      return refuse(context, 503, "too_many_requests_pending", "Too many requests wait; send it again.", RETRY_AFTER);
    }
    try {
      if (webhook !== undefined) return await webhook.serve(context);
      const methods = [this, ...this.#others()].flatMap((endpoint) => [...endpoint.#webhooks.keys()]);
      const allowed = [...new Set(methods)].join(", ");
      return refuse(context, 405, "method_not_allowed", `Use ${allowed}.`, { Allow: allowed });
    } finally {
      admission.leave();
    }
  }

  /** Those that are tried later for requests to this path. Asked for when all are there. */
  #others(): readonly Endpoint[] {
    if (this.#wider !== undefined) return this.#wider;
    const all = [...this.all.values()];
    this.#wider = all
      .slice(all.indexOf(this) + 1)
      .filter(({ pattern }) => relation(this.pattern, pattern) !== "disjoint");
    return this.#wider;
  }
}
