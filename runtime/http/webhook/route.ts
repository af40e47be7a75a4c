/** Where webhooks are: a path is one route, whatever its methods. */
import type { Context, Hono } from "hono";
import { invalid } from "../../definition/check.ts";
import { checkWebhook, type WebhookOptions } from "../../definition/webhook-options.ts";
import type { WebhookTrigger } from "../../definition.ts";
import { RETRY_AFTER, refuse } from "../answers.ts";
import type { HttpEngine } from "../engine.ts";
import type { Admission } from "./admission.ts";
import { Webhook } from "./webhook.ts";

/** Serves one webhook trigger. Throws an `InvalidError` when it is not defined as it should be. */
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
  endpoint(routes, path, admission).add(new Webhook(engine, workflowId, path, options));
}

/** The endpoints of an app by path, with the names of parameters left out. */
const endpoints = new WeakMap<Hono, Map<string, Endpoint>>();
const PARAMETER_NAME = /:\w+/g;

function endpoint(routes: Hono, path: string, admission: Admission): Endpoint {
  const known = endpoints.get(routes) ?? new Map<string, Endpoint>();
  endpoints.set(routes, known);
  const key = path.replace(PARAMETER_NAME, ":");
  const found = known.get(key);
  if (found !== undefined) {
    if (found.path === path) return found;
    throw invalid(`The webhooks \`${found.path}\` and \`${path}\` are the same path: call its parameters the same.`);
  }
  const made = new Endpoint(path, admission);
  known.set(key, made);
  // One handler for all methods: Hono is fastest when only one matches.
  routes.all(path, (context) => made.serve(context));
  return made;
}

/** All webhooks of one path. */
class Endpoint {
  readonly #webhooks = new Map<string, Webhook>();

  constructor(
    readonly path: string,
    readonly admission: Admission,
  ) {}

  add(webhook: Webhook): void {
    this.#webhooks.set(webhook.method, webhook);
  }

  async serve(context: Context): Promise<Response> {
    const { admission } = this;
    if (!admission.enter()) {
      return refuse(context, 503, "too_many_requests_pending", "Too many requests wait; send it again.", RETRY_AFTER);
    }
    try {
      const webhook = this.#webhooks.get(context.req.method);
      if (webhook !== undefined) return await webhook.serve(context);
      const allowed = [...this.#webhooks.keys()].join(", ");
      return refuse(context, 405, "method_not_allowed", `Use ${allowed}.`, { Allow: allowed });
    } finally {
      admission.leave();
    }
  }
}
