/** What is stored of runs, as users read it. */
import type { TriggerInfo } from "./context.ts";
import type { RecordedError } from "./errors.ts";
import type { ApprovalMessage, RunRecordMessage, StepRecordMessage } from "./native/protocol.ts";

/**
 * Where a run is. `pending`: ready, but it has no slot yet, its limits are used up, or its workflow is paused or not defined
 * in this process. `running`: handlers execute. `waiting`: for a time, an event, a person or a child run. `completed`,
 * `failed`, `cancelled`: it has ended. `stuck`: its workflow has changed under it, and a person decides.
 */
export type RunStatus = RunRecordMessage["status"];

/** How an attempt ended. `timed_out`: it took longer than it may. `interrupted`: the process died during it. */
export type StepStatus = StepRecordMessage["status"];

/** A run, without its values. */
export interface RunSummary {
  /** `run_…`; given to `inspect`, `result`, `cancelRun` and the others. */
  readonly runId: string;
  /** The id of its workflow. */
  readonly workflowId: string;
  /** Where it is. */
  readonly status: RunStatus;
  /** Why it failed, was cancelled or is stuck. */
  readonly error?: RecordedError;
  /** When it was recorded. */
  readonly createdAt: Date;
  /** It does not begin before this time: a delay, or a rate limit. */
  readonly startAt?: Date;
  /** When it ended; absent as long as it has not. */
  readonly finishedAt?: Date;
  /** The run that waits for this one. */
  readonly parentRunId?: string;
  /** The run whose recorded results this one uses. */
  readonly replayOf?: string;
}

/** A run with everything that is recorded of it. */
export interface RunRecord extends RunSummary {
  /** What it was started with; `undefined` if nothing was given. */
  readonly payload: unknown;
  /** What started it. */
  readonly trigger: TriggerInfo;
  /** What it gave: `ctx.last` at its end. `undefined` unless it has completed. */
  readonly output: unknown;
  /** Every ended attempt, in order. */
  readonly attempts: readonly AttemptRecord[];
}

/** An ended attempt of a step. */
export interface AttemptRecord {
  /** Its position in the run's history, from 1. */
  readonly sequence: number;
  /** The name of the node. */
  readonly step: string;
  /** The iterations of the loops around it, outermost first, like `"3.17"`; `""` outside loops. */
  readonly scope: string;
  /**
   * Which of the step's functions was called. `"body"` of a block, a wait or a child run is its end; `"start"`: its
   * child run began; `"retry"`: the run was taken up again.
   */
  readonly handler: StepRecordMessage["handler"];
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** How it ended. */
  readonly status: StepStatus;
  /** What the function gave, if it completed and that is recorded: of an action it is not. */
  readonly output?: unknown;
  /** Why it did not complete. */
  readonly error?: RecordedError;
  /** When the next attempt is due, if there is one. */
  readonly retryAt?: Date;
  /** Unknown for an attempt that died with its process. */
  readonly startedAt?: Date;
  /** When its end was recorded. */
  readonly finishedAt: Date;
}

/** Which runs to list. */
export interface ListOptions {
  /** Only runs of this workflow. Default: of all. */
  readonly workflowId?: string;
  /** Only runs that are there now. Default: all. */
  readonly status?: RunStatus;
  /** Only runs created at or after this time. */
  readonly since?: Date | number;
  /** From 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** Where the page before ended. */
  readonly cursor?: string;
}

/** A page of runs, newest first. */
export interface RunList {
  /** At most `limit` of them. */
  readonly runs: readonly RunSummary[];
  /** Give it to the next call; absent on the last page. */
  readonly cursor?: string;
}

export function runSummary(message: RunRecordMessage): RunSummary {
  const { run, workflow, status, error, created_at_ms, start_at_ms, finished_at_ms, parent, replay_of } = message;
  return {
    runId: run,
    workflowId: workflow,
    status,
    ...(error !== undefined && { error: error as RecordedError }),
    createdAt: new Date(created_at_ms),
    ...(start_at_ms !== undefined && { startAt: new Date(start_at_ms) }),
    ...(finished_at_ms !== undefined && { finishedAt: new Date(finished_at_ms) }),
    ...(parent !== undefined && { parentRunId: parent }),
    ...(replay_of !== undefined && { replayOf: replay_of }),
  };
}

export function runRecord(message: RunRecordMessage): RunRecord {
  return {
    ...runSummary(message),
    payload: message.payload,
    trigger: (message.trigger ?? { type: "manual" }) as TriggerInfo,
    output: message.output,
    attempts: (message.steps ?? []).map(attemptRecord),
  };
}

function attemptRecord(message: StepRecordMessage): AttemptRecord {
  const {
    sequence,
    name,
    scope = "",
    handler,
    attempt,
    status,
    output,
    error,
    retry_at_ms,
    started_at_ms,
    finished_at_ms,
  } = message;
  return {
    sequence,
    step: name,
    scope,
    handler,
    attempt,
    status,
    ...(output !== undefined && { output }),
    ...(error !== undefined && { error: error as RecordedError }),
    ...(retry_at_ms !== undefined && { retryAt: new Date(retry_at_ms) }),
    ...(started_at_ms !== undefined && { startedAt: new Date(started_at_ms) }),
    finishedAt: new Date(finished_at_ms),
  };
}

/** A run that waits for a person. */
export interface PausedWorkflow {
  /** The run that waits. */
  readonly runId: string;
  /** The id of its workflow. */
  readonly workflowId: string;
  /** The name of the `humanInTheLoop`. */
  readonly step: string;
  /** The iterations of the loops around the step. */
  readonly scope: string;
  /**
   * `"open"` until it is answered; `"expired"`: nobody answered in time; `"cancelled"`: the run went on, or ended,
   * without an answer.
   */
  readonly status: ApprovalMessage["status"];
  /** What is to be approved. */
  readonly description?: string;
  /** What else is to be shown, as it was given to `humanInTheLoop`. */
  readonly metadata?: unknown;
  /** Since when it waits. */
  readonly pausedAt: Date;
  /** When it is too late. */
  readonly expiresAt?: Date;
}

export function pausedWorkflow(message: ApprovalMessage): PausedWorkflow {
  const { run, workflow, step, scope = "", status, description, metadata, opened_at_ms, expires_at_ms } = message;
  return {
    runId: run,
    workflowId: workflow,
    step,
    scope,
    status,
    ...(description !== undefined && { description }),
    ...(metadata !== undefined && { metadata }),
    pausedAt: new Date(opened_at_ms),
    ...(expires_at_ms !== undefined && { expiresAt: new Date(expires_at_ms) }),
  };
}
