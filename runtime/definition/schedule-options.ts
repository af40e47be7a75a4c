/** What is said of the times at which runs start by themselves. */
import type { Duration } from "../duration.ts";
import type { Logger } from "../log.ts";

/**
 * What becomes of instants that have passed when the engine looks, because no process was there or the clock has
 * jumped. `"once"`: the latest of them starts a run. `"skip"`: it does only if it is hardly late (a minute). `"all"`:
 * each of them does, up to the latest 1,000.
 */
export type Misfire = "skip" | "once" | "all";

/**
 * What becomes of an instant while a run of the same schedule has not ended. `"allow"`: it starts a run beside it.
 * `"skip"`: it starts none. `"queue"`: it starts one when that has ended, up to 1,000 of them.
 */
export type Overlap = "allow" | "skip" | "queue";

/** How a schedule or an interval starts runs. */
export interface IntervalOptions {
  /** What is stored of the schedule is found by it. Default: what the schedule says. */
  readonly name?: string;
  /** Default `"once"`. */
  readonly misfire?: Misfire;
  /** Default `"allow"`. */
  readonly overlap?: Overlap;
  /** Each run begins up to so much later, by a hash of its instant. Default 0. */
  readonly jitter?: Duration;
}

/** How a cron expression starts runs. */
export interface ScheduleOptions extends IntervalOptions {
  /** An IANA name, like `"Europe/Berlin"`. Default `"UTC"`. */
  readonly timezone?: string;
}

/** An item that a poll has found: it starts one run, ever, and is its payload. */
export interface PollItem {
  /** What it is remembered by; at most 512 bytes. */
  readonly id: string | number;
}

/** What a poll is given. */
export interface PollContext {
  /** Aborted when the poll has taken too long, or the engine stops. */
  readonly signal: AbortSignal;
  /** The engine's log. */
  readonly log: Logger;
}

/** Gives the items there are now, new and old. */
export type Poll<Item extends PollItem = PollItem> = (
  context: PollContext,
) => readonly Item[] | Promise<readonly Item[]>;

/** When to poll. */
export interface PollOptions {
  /** How long after the end of a poll the next begins. When polling fails it is doubled each time, up to an hour. */
  readonly interval: Duration;
  /** What is stored of the poll is found by it. Default `poll-1`, `poll-2` … */
  readonly name?: string;
  /** How long a poll may take. Default one minute. */
  readonly timeout?: Duration;
}
