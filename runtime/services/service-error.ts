import { masked } from "./secrets/known.ts";
import { maskedError } from "./secrets/masking.ts";

/**
 * An action of a service has failed, or the service itself. Whether another attempt may help is what `cause` says: a
 * `NonRetryableError` ends the attempts here, too.
 */
export class ServiceError extends Error {
  /** The name of the class. */
  override readonly name = "ServiceError";
  /** The key of the service in `ctx.services`. */
  readonly service: string;
  /** The action; `setup` or `start` when the service did not begin. */
  readonly action: string;
  /** The code of the cause, if it has one that is a text. */
  readonly code?: string;

  constructor(service: string, action: string, thrown: unknown) {
    const cause = maskedError(thrown);
    super(`${service}.${action}: ${cause instanceof Error ? cause.message : masked(String(cause))}`, { cause });
    this.service = service;
    this.action = action;
    const code = (cause as { code?: unknown } | null | undefined)?.code;
    if (typeof code === "string") this.code = code;
  }
}
