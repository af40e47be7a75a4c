import { NonRetryableError } from "cronflow-ffi";

/** An error that no further attempt helps against, with a code that says why. */
export function final(message: string, code?: string, cause?: unknown): NonRetryableError {
  const error = new NonRetryableError(message, cause === undefined ? {} : { cause });
  return code === undefined ? error : Object.assign(error, { code });
}
