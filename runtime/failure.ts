/** What is recorded of an error a handler threw. */
import { type CronflowError, isNonRetryable, type RecordedError } from "./errors.ts";
import { LIMITS } from "./native/generated.ts";
import { masked } from "./services/secrets/known.ts";
import { ServiceError } from "./services/service-error.ts";

/** What is recorded of anything that can be thrown, without secrets, and cut to what may be recorded. */
export function recordedError(thrown: unknown): RecordedError {
  const cut = (text: unknown, length: number): string => masked(String(text)).toWellFormed().slice(0, length);
  const errorBytes = LIMITS.VALUE_BYTES >> 6;
  if (thrown instanceof Error) {
    const { name, message } = thrown;
    const stack = stackOf(thrown);
    const code = (thrown as { code?: unknown }).code;
    return {
      name: cut(name, 200),
      message: cut(message, errorBytes),
      ...(typeof code === "string" && { code: cut(code, 200) }),
      ...(stack !== undefined && { stack: cut(stack, errorBytes) }),
    };
  }
  const text = typeof thrown === "string" ? thrown : Bun.inspect(thrown, { depth: 2 });
  return { name: "NonError", message: cut(text, errorBytes) };
}

/** Where it was thrown; of what a service has thrown, there too. */
function stackOf(thrown: Error): string | undefined {
  const cause = thrown instanceof ServiceError && thrown.cause instanceof Error ? thrown.cause.stack : undefined;
  return cause === undefined ? thrown.stack : `${thrown.stack}\ncaused by ${cause}`;
}

/** Whether another attempt may help, as far as the error itself says. */
export function isRetryable(thrown: unknown): boolean {
  if (thrown instanceof ServiceError) return isRetryable(thrown.cause);
  return !isNonRetryable(thrown) && (thrown as Partial<CronflowError> | null)?.kind !== "invalid";
}
