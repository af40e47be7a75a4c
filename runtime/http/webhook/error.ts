import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Issue } from "../../schema.ts";
import { hasSecret } from "../../services/secrets/known.ts";
import { SecretError } from "../../services/secrets/secret-error.ts";

/** A webhook refused a request: nothing was started. */
export class WebhookError extends Error {
  /** The name of the class. */
  override readonly name = "WebhookError";
  /** What is wrong with the input, place by place. */
  readonly issues: readonly Issue[] | undefined;
  /** Headers of the answer. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    /** The status of the answer. */
    readonly status: ContentfulStatusCode,
    /** The stable code in the answer. */
    readonly code: string,
    message: string,
    details: { issues?: readonly Issue[]; headers?: Readonly<Record<string, string>>; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.issues = details.issues;
    this.headers = details.headers;
  }
}

/** What is said of a value when it is not said what is wrong with it. */
export const NOT_VALID = "not valid";

/** The body is not what it should be. @param cause For the log. */
export function payloadInvalid(issues: readonly Issue[], cause?: unknown): WebhookError {
  return refusedInput("payload_invalid", "The body is not valid.", issues, cause);
}

/** The headers are not what they should be. */
export function headersInvalid(issues: readonly Issue[]): WebhookError {
  return refusedInput("headers_invalid", "The headers are not valid.", issues);
}

/** The idempotency key is empty, too long, or has in it what is not recorded: all are told the same. */
export function keyInvalid(cause?: unknown): WebhookError {
  return new WebhookError(400, "text_invalid", "The idempotency key is not valid.", { cause });
}

/**
 * A 400 with the issues. One that tells a secret is replaced by what `validate` says when it says nothing else: a mask
 * would tell a sender who has guessed it, and whose value is repeated to him, that he is right.
 */
function refusedInput(code: string, message: string, issues: readonly Issue[], cause?: unknown): WebhookError {
  const telling = issues.find(({ path, message }) => hasSecret(path) || hasSecret(message));
  if (telling === undefined) return new WebhookError(400, code, message, { issues, cause });
  const shown = issues.map((issue) =>
    hasSecret(issue.path) || hasSecret(issue.message) ? { path: "$", message: NOT_VALID } : issue,
  );
  const reason = new SecretError(`the sender is not told an issue that has a secret in it: ${telling.message}`);
  return new WebhookError(400, code, message, { issues: shown, cause: reason });
}
