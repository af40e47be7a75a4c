import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Issue } from "../../schema.ts";

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
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.issues = details.issues;
    this.headers = details.headers;
  }
}

/** The body is not what it should be. */
export function payloadInvalid(issues: readonly Issue[]): WebhookError {
  return new WebhookError(400, "payload_invalid", "The body is not valid.", { issues });
}
