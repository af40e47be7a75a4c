/** Schedules as they are shown to people. */
import type { Misfire, Overlap } from "./definition.ts";
import type { RecordedError } from "./errors.ts";
import type { ScheduleMessage } from "./native/protocol.ts";

/** A schedule, an interval or a poll of a workflow. */
export interface Schedule {
  /** The id of its workflow. */
  readonly workflowId: string;
  /** Unique within the workflow. */
  readonly name: string;
  /** `"cron"` of `onSchedule`, `"interval"` of `onInterval`, `"poll"` of `onPoll`. */
  readonly kind: "cron" | "interval" | "poll";
  /** Of a schedule: the expression. */
  readonly cron?: string;
  /** Of a schedule: the IANA name. */
  readonly timezone?: string;
  /** Of an interval or a poll: milliseconds from one to the next. */
  readonly everyMs?: number;
  /** Of a schedule or an interval: what becomes of instants that were missed. */
  readonly misfire?: Misfire;
  /** Of a schedule or an interval: what becomes of an instant while a run has not ended. */
  readonly overlap?: Overlap;
  /** Of a schedule or an interval: how many milliseconds later a run may begin. */
  readonly jitterMs?: number;
  /** Whether its workflow is paused: then it starts nothing. */
  readonly paused: boolean;
  /** The next five instants; of a poll, when it is asked next. */
  readonly next: readonly Date[];
  /** The last instant that started a run; of a poll, when it was last answered. */
  readonly last?: Date;
  /** The last run it has started. */
  readonly lastRunId?: string;
  /** Instants that wait for the run before them. */
  readonly queued: number;
  /** Of a poll: how often it has failed since it last succeeded. */
  readonly failures?: number;
  /** Of a poll: why it failed last; absent once it has succeeded. */
  readonly lastError?: RecordedError;
}

export function scheduleOf(message: ScheduleMessage): Schedule {
  const { timing, last_at_ms, last_run, error } = message;
  const kind = "cron" in timing ? "cron" : "interval" in timing ? "interval" : "poll";
  return {
    workflowId: message.workflow,
    name: message.name,
    kind,
    ...("cron" in timing && { cron: timing.cron.pattern, timezone: timing.cron.timezone }),
    ...("interval" in timing && { everyMs: timing.interval.every_ms }),
    ...("poll" in timing && { everyMs: timing.poll.every_ms }),
    ...(kind !== "poll" && {
      misfire: message.misfire,
      overlap: message.overlap,
      jitterMs: message.jitter_ms,
    }),
    paused: message.paused,
    next: message.next_ms.map((ms) => new Date(ms)),
    ...(last_at_ms !== undefined && { last: new Date(last_at_ms) }),
    ...(last_run !== undefined && { lastRunId: last_run }),
    queued: message.queued,
    ...(kind === "poll" && { failures: message.failures }),
    ...(error !== undefined && { lastError: error as RecordedError }),
  };
}
