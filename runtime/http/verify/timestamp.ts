/** When a message was sent, as its headers say. */
import { checkDuration } from "../../definition/check.ts";
import type { Duration } from "../../duration.ts";

/** How far a sender's clock may be off, and a message on its way. */
export interface Tolerance {
  /** How old a message may be, or how far in the future. Default 5 min. */
  readonly tolerance?: Duration;
}

const STANDARD_TOLERANCE: Duration = "5m";
/** Whole seconds since 1970, nothing around them. */
const SECONDS = /^(?:0|[1-9]\d{0,10})$/;

/** Milliseconds of tolerance. @param verifier For messages. */
export function toleranceMs(verifier: string, { tolerance = STANDARD_TOLERANCE }: Tolerance): number {
  return checkDuration(verifier, "tolerance", tolerance, 1);
}

/** Whether a text is a time in seconds that is near enough to now. */
export function isRecent(text: string, nowMs: number, toleranceMs: number): boolean {
  return SECONDS.test(text) && Math.abs(nowMs - Number(text) * 1_000) <= toleranceMs;
}
