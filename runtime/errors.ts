import { CODES } from "./native/generated.ts";

/**
 * The stable code of an error: its name never changes, new ones may come. What each of them means, and what can be done
 * about it, is listed in `docs/errors.md`.
 */
export type Code = keyof typeof CODES;

/**
 * What the caller can do about an error. `invalid`: change the call. `not_found`: name what exists. `conflict`: it comes too
 * late, or contradicts what is recorded. `busy`, `unavailable`: nothing was recorded, try again later. `unknown_outcome`: it
 * may have happened, repeat the same call. `corrupt`: the stored data is damaged. `bug`: the engine broke one of its rules.
 */
export type ErrorClass = (typeof CODES)[Code]["class"];

/** What every error of the engine has: a stable `code`, and a `kind` that says what can be done about it. */
export class CronflowError extends Error {
  /** The name of the class. */
  // Written out in each class: a bundler may rename classes.
  override readonly name: string = "CronflowError";
  /** The stable code, one of `CODES`. */
  readonly code: Code;
  /** What the caller can do: the class of the code. */
  readonly kind: ErrorClass;

  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
    this.kind = CODES[code].class;
  }
}

/** The call is wrong: change it. */
export class InvalidError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "InvalidError";
}
/** What the call names does not exist. */
export class NotFoundError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "NotFoundError";
}
/** The call comes too late, or contradicts what is recorded. */
export class ConflictError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "ConflictError";
}
/** The engine has too much to do: try again later. */
export class BusyError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "BusyError";
}
/** The engine cannot do it now, and nothing was recorded: try again later. */
export class UnavailableError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "UnavailableError";
}
/** It may or may not have happened: repeat the same call. */
export class UnknownOutcomeError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "UnknownOutcomeError";
}
/** The stored data is damaged. */
export class CorruptError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "CorruptError";
}
/** The engine broke one of its own rules. */
export class BugError extends CronflowError {
  /** The name of the class. */
  override readonly name: string = "BugError";
}

/** The class of the errors of each kind. */
export const ERROR_CLASSES: Record<ErrorClass, new (code: Code, message: string) => CronflowError> = {
  invalid: InvalidError,
  not_found: NotFoundError,
  conflict: ConflictError,
  busy: BusyError,
  unavailable: UnavailableError,
  unknown_outcome: UnknownOutcomeError,
  corrupt: CorruptError,
  bug: BugError,
};

/** The error of a code, in the class of its kind. */
export function errorOf(code: Code, message: string): CronflowError {
  return new ERROR_CLASSES[CODES[code].class](code, message);
}

/** Marks what no further attempt helps, so that it is known to every copy of this package in a process. */
const NON_RETRYABLE = Symbol.for("cronflow-ffi.non-retryable");

/** Thrown in a step: no further attempt helps, whatever its retry policy says. */
export class NonRetryableError extends Error {
  /** The name of the class. */
  override readonly name = "NonRetryableError";
}
Object.defineProperty(NonRetryableError.prototype, NON_RETRYABLE, { value: true });

/** Whether it is a `NonRetryableError`, of this copy of the package or another. */
export function isNonRetryable(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && NON_RETRYABLE in thrown;
}

/**
 * What `ctx.cancel()` throws: the run ends as cancelled, which is no failure. A handler that catches everything must
 * throw it again.
 */
export class CancelSignal extends Error {
  /** The name of the class. */
  override readonly name = "CancelSignal";
  constructor(
    /** Why, if it was said. */
    readonly reason?: string,
  ) {
    super(reason ?? "the run was cancelled by its workflow");
  }
}

/** What is recorded of an error a handler threw. */
export interface RecordedError {
  /** The error's `name`; `"NonError"` for what is thrown and is no `Error`. At most 200 characters. */
  readonly name: string;
  /** What it says, with secrets masked. At most 65,536 characters. */
  readonly message: string;
  /** The error's `code`, if that is a text. At most 200 characters. */
  readonly code?: string;
  /** Where it was thrown, if it says so. At most 65,536 characters. */
  readonly stack?: string;
}

/** A run that `execute` or `result` waited for did not complete. */
export class RunError extends Error {
  /** The name of the class. */
  override readonly name = "RunError";
  constructor(
    /** The run. */
    readonly runId: string,
    /** How it ended. */
    readonly status: "failed" | "cancelled" | "stuck",
    /** Why. */
    readonly error: RecordedError,
  ) {
    super(
      `run ${runId} ${status === "stuck" ? "is stuck" : status === "failed" ? "failed" : "was cancelled"}: ${error.message}`,
    );
  }
}
