/** A webhook: a request becomes a run, and is acknowledged after the commit. */
import type { Context, Hono } from "hono";
import type { WebhookTrigger } from "../definition.ts";
import { milliseconds } from "../duration.ts";
import { CronflowError, RunError } from "../errors.ts";
import { fingerprint } from "../fingerprint.ts";
import { encode } from "../json.ts";
import { parse } from "../schema.ts";
import type { StartedRun, StartRequest } from "../session.ts";
import { readBody } from "./body.ts";
import type { HttpEngine } from "./engine.ts";

const DEFAULT_BODY_BYTES = 1 << 20;
const DEFAULT_RESULT_MS = 30_000;
const RETRY_AFTER_SECONDS = "1";

/** Serves one webhook trigger; other methods on its path get 405. */
export function addWebhook(
  routes: Hono,
  engine: HttpEngine,
  workflowId: string,
  { path, options }: WebhookTrigger,
): void {
  const { method = "POST", middleware = [] } = options;
  routes.on([method], [path], ...middleware, (context) =>
    receive(context, engine, workflowId, { type: "webhook", path, options }),
  );
  routes.all(path, (context) => refuse(context, 405, "method_not_allowed", `Use ${method}.`, { Allow: method }));
}

async function receive(
  context: Context,
  engine: HttpEngine,
  workflowId: string,
  trigger: WebhookTrigger,
): Promise<Response> {
  const { options } = trigger;
  if (!isJson(context.req.header("content-type"))) {
    return refuse(context, 415, "unsupported_media_type", "Send JSON, with the content type application/json.");
  }
  const body = await readBody(context.req.raw, options.maxBodyBytes ?? DEFAULT_BODY_BYTES);
  if (body === undefined) return refuse(context, 413, "body_too_large", "The body is larger than this webhook takes.");

  const payload = await payloadOf(body, trigger);
  if ("issues" in payload)
    return context.json(
      { error: { code: "payload_invalid", message: "The body is not valid.", issues: payload.issues } },
      400,
    );

  const key = options.idempotencyKey?.(context.req.raw);
  const request: StartRequest = {
    workflowId,
    payload: payload.text,
    trigger: triggerText(context),
    ...(typeof key === "string" && { idempotency: { key, fingerprint: fingerprint(body) } }),
  };
  let started: StartedRun;
  try {
    started = await engine.session().start(request, options.respond === "result");
  } catch (error) {
    return notStarted(context, engine, error);
  }
  if (options.respond !== "result") return accepted(context, started);
  try {
    return await respond(context, engine, started, trigger);
  } catch (error) {
    return notCompleted(context, started, error);
  }
}

function accepted(context: Context, { runId, repeated }: StartedRun): Response {
  return context.json({ runId }, repeated ? 200 : 202);
}

/** Waits for the run. The run goes on when nobody waits any longer. */
async function respond(
  context: Context,
  engine: HttpEngine,
  started: StartedRun,
  trigger: WebhookTrigger,
): Promise<Response> {
  const { runId } = started;
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(resolve, milliseconds(trigger.options.timeout ?? DEFAULT_RESULT_MS), "late");
  try {
    const outcome = engine.outcome(started).then((output) => ({ output }));
    outcome.catch(() => {}); // Whoever is late does not hear of it; the run's record has it.
    const first = await Promise.race([outcome, late]);
    if (first === "late") {
      return context.json({ runId, error: { code: "result_timeout", message: "The run is not finished yet." } }, 504);
    }
    return context.json(first.output === undefined ? null : (first.output as object), 200, { "x-run-id": runId });
  } finally {
    clearTimeout(timer);
  }
}

async function payloadOf(
  body: string,
  { options }: WebhookTrigger,
): Promise<{ text: string | undefined } | { issues: object[] }> {
  let value: unknown;
  try {
    value = body === "" ? undefined : JSON.parse(body);
  } catch {
    return { issues: [{ path: "$", message: "not JSON" }] };
  }
  try {
    if (options.schema === undefined) return { text: encode(value, "body") };
    const parsed = await parse(options.schema, value);
    return "issues" in parsed ? parsed : { text: encode(parsed.value, "payload") };
  } catch (error) {
    if (error instanceof CronflowError) return { issues: [{ path: "$", message: error.message }] };
    throw error;
  }
}

/** What the sender hears when the run it waits for did not complete, or the engine stops: the run exists. */
function notCompleted(context: Context, { runId }: StartedRun, error: unknown): Response {
  if (error instanceof RunError) {
    const { name, message } = error.error;
    return context.json({ runId, status: error.status, error: { name, message } }, 500);
  }
  if (!(error instanceof CronflowError)) throw error;
  return context.json(
    { runId, error: { code: error.code, message: "The run exists; its result is not known yet." } },
    504,
  );
}

/** What the sender hears when no run was started. */
function notStarted(context: Context, engine: HttpEngine, error: unknown): Response {
  if (!(error instanceof CronflowError)) throw error;
  const { kind, code, message } = error;
  if (kind === "conflict") return refuse(context, 409, code, message);
  if (kind === "invalid") return refuse(context, 400, code, message);
  engine.log().error(`${context.req.method} ${context.req.path} was refused`, error);
  const what =
    kind === "unknown_outcome"
      ? "The engine stopped before it answered: repeat the request, with an idempotency key if it must not run twice."
      : "The engine cannot take this now; nothing was started.";
  return refuse(context, 503, code, what, { "Retry-After": RETRY_AFTER_SECONDS });
}

function refuse(
  context: Context,
  status: 400 | 405 | 409 | 413 | 415 | 503,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return context.json({ error: { code, message } }, status, headers);
}

function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return true;
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || type.endsWith("+json");
}

/** Headers that carry credentials are not recorded. */
const REDACTED = new Set(["authorization", "cookie", "proxy-authorization"]);

function triggerText(context: Context): string {
  const headers: Record<string, string> = {};
  context.req.raw.headers.forEach((value, name) => {
    if (!REDACTED.has(name)) headers[name] = value.toWellFormed();
  });
  return JSON.stringify({ type: "webhook", method: context.req.method, path: context.req.path, headers });
}
