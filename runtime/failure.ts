/** What is recorded of an error a handler threw. */
import { type CronflowError, NonRetryableError, type RecordedError } from "./errors.ts";
import { LIMITS } from "./native/generated.ts";

/** What is recorded of anything that can be thrown, cut to what may be recorded. */
export function recordedError(thrown: unknown): RecordedError {
  const cut = (text: unknown, length: number): string => String(text).toWellFormed().slice(0, length);
  const errorBytes = LIMITS.VALUE_BYTES >> 6;
  if (thrown instanceof Error) {
    const { name, message, stack } = thrown;
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

/** Whether another attempt may help, as far as the error itself says. */
export function isRetryable(thrown: unknown): boolean {
  return !(thrown instanceof NonRetryableError) && (thrown as Partial<CronflowError> | null)?.kind !== "invalid";
}
