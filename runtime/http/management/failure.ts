/** What a request hears when the engine refuses it or breaks down. */
import { CronflowError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { Issue } from "../../schema.ts";
import { RETRY_AFTER, refusalError } from "../answers.ts";
import type { Outcome } from "./route.ts";
import { Unfit } from "./schema.ts";

/** Thrown while a request is read: it is answered with this. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(
    readonly status: 400 | 408 | 413 | 415,
    readonly code: string,
    message: string,
    readonly issues?: readonly Issue[],
  ) {
    super(message);
  }
}

/** The status and body of an error. What is not the sender's business goes to the log only. */
export function outcomeOf(error: unknown, what: string, log: Logger): Outcome {
  if (error instanceof Refused) return refusal(error.status, error.code, error.message, error.issues);
  if (error instanceof Unfit) return refusal(400, "input_invalid", "The request is not valid.", error.issues);
  if (!(error instanceof CronflowError)) {
    log.error(`${what} failed`, error);
    return refusal(500, "internal_error", "The request failed; the log says why.");
  }
  const { kind, code, message } = error;
  switch (kind) {
    case "invalid":
      return refusal(400, code, message);
    case "not_found":
      return refusal(404, code, message);
    case "conflict":
      return refusal(409, code, message);
    case "busy":
      return { ...refusal(503, code, message), headers: RETRY_AFTER };
    case "unavailable":
      log.error(`${what} was refused`, error);
      return {
        ...refusal(503, code, "The engine cannot do this now; nothing was recorded. Try again later."),
        headers: RETRY_AFTER,
      };
    case "unknown_outcome":
      log.error(`${what} was not answered`, error);
      return refusal(
        503,
        code,
        "The engine did not answer in time: it may have happened. Look, or repeat the request.",
      );
    default:
      log.error(`${what} failed`, error);
      return refusal(500, code, "The request failed; the log says why.");
  }
}

function refusal(status: Outcome["status"], code: string, message: string, issues?: readonly Issue[]): Outcome {
  const error = refusalError(code, message, issues);
  return { status, body: { error }, error };
}
