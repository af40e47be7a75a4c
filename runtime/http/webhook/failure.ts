/** What the sender hears when no run was started. */
import type { Context } from "hono";
import { CronflowError } from "../../errors.ts";
import { RETRY_AFTER, refuse } from "../answers.ts";
import type { Answer } from "./answer.ts";
import { WebhookError } from "./error.ts";
import type { Webhook } from "./webhook.ts";

/** Logs what is the engine's or the user's fault, and tells `onError`. */
export function failureAnswer(webhook: Webhook, { req }: Context, error: unknown): Answer {
  const { engine, options, method, path } = webhook;
  if (options.onError !== undefined) webhook.tell("onError", () => options.onError?.(error, req.raw));
  if (error instanceof WebhookError) {
    if (error.status >= 500) engine.log().error(`${method} ${path} was refused`, error.cause);
    return refusal(error);
  }
  // What middleware throws to be answered with, such as Hono's own 401.
  if (error instanceof Error && "getResponse" in error) return () => (error as OwnAnswer).getResponse();
  engine.log().error(`${method} ${path} failed`, error);
  return internal;
}

/** What the engine said when it was asked to start the run. */
export function notStarted(cause: unknown): unknown {
  if (!(cause instanceof CronflowError)) return cause;
  const { kind, code, message } = cause;
  if (kind === "conflict") return new WebhookError(409, code, message, { cause });
  if (kind === "invalid") return new WebhookError(400, code, message, { cause });
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
