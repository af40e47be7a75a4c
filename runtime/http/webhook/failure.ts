/** What the sender hears when no run was started. */
import type { Context } from "hono";
import { CronflowError } from "../../errors.ts";
import { SecretError } from "../../services/secrets/secret-error.ts";
import { RETRY_AFTER, refuse } from "../answers.ts";
import type { Answer } from "./answer.ts";
import { NOT_VALID, payloadInvalid, WebhookError } from "./error.ts";
import type { Webhook } from "./webhook.ts";

/** Logs what is the engine's or the user's fault, and tells `onError`. */
export function failureAnswer(webhook: Webhook, { req }: Context, error: unknown): Answer {
  const { engine, options, method, path } = webhook;
  if (options.onError !== undefined) webhook.tell("onError", () => options.onError?.(error, req.raw));
  if (error instanceof WebhookError) {
    if (error.status >= 500) engine.log().error(`${method} ${path} was refused`, error.cause);
    else if (error.cause instanceof SecretError) {
      engine.log().warn(`${method} ${path}: a request was refused: ${error.cause.message}`);
    }
    return refusal(error);
  }
  // What middleware throws to be answered with, such as Hono's own 401.
  if (error instanceof Error && "getResponse" in error) return () => (error as OwnAnswer).getResponse();
  engine.log().error(`${method} ${path} failed`, error);
  return internal;
}

/** The engine's codes for what is larger than it takes. */
const TOO_LARGE: ReadonlySet<string> = new Set(["value_too_large", "request_too_large"]);

/**
 * What the engine said when it was asked to start the run. What the sender may have done wrong has been looked for
 * before, except for sizes. Other refusals are the workflow's fault, such as the `key` of a limit that cannot take what
 * the schema lets through: they are not told, and the sender may send it again when that is mended.
 */
export function notStarted(cause: unknown): unknown {
  if (!(cause instanceof CronflowError)) return cause;
  const { kind, code, message } = cause;
  if (kind === "conflict") return new WebhookError(409, code, message, { cause });
  // A `key` may put together what was sent in pieces.
  if (cause instanceof SecretError) return payloadInvalid([{ path: "$", message: NOT_VALID }], cause);
  if (TOO_LARGE.has(code)) return payloadInvalid([{ path: "$", message: "too large to be recorded" }], cause);
  if (kind === "invalid") return cause;
  const what =
    kind === "unknown_outcome"
      ? "The engine stopped before it answered: repeat the request, with an idempotency key if it must not run twice."
      : "The engine cannot take this now; nothing was started.";
  return new WebhookError(503, code, what, { cause, headers: RETRY_AFTER });
}

/** Hono's `HTTPException`, without loading it. */
interface OwnAnswer extends Error {
  getResponse(): Response;
}

function refusal({ status, code, message, headers, issues }: WebhookError): Answer {
  return (context) => refuse(context, status, code, message, headers, issues && { issues });
}

const internal: Answer = (context) =>
  refuse(context, 500, "internal_error", "The request failed; nothing was started, and the log says why.");
