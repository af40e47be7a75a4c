/** What is stored of runs, as users read it. */
import type { TriggerInfo } from "./context.ts";
import type { RecordedError } from "./errors.ts";
import type { HandlerName, RunRecordMessage, RunStatus, StepRecordMessage, StepStatus } from "./native/protocol.ts";

export type { RunStatus, StepStatus };

/** A run, without its values. */
export interface RunSummary {
  readonly runId: string;
  readonly workflowId: string;
  readonly status: RunStatus;
  /** Why it failed, was cancelled or is stuck. */
  readonly error?: RecordedError;
  readonly createdAt: Date;
  readonly finishedAt?: Date;
}

/** A run with everything that is recorded of it. */
export interface RunRecord extends RunSummary {
  readonly payload: unknown;
  readonly trigger: TriggerInfo;
  readonly output: unknown;
  /** Every ended attempt, in order. */
  readonly attempts: readonly AttemptRecord[];
}

/** An ended attempt of a step. */
export interface AttemptRecord {
  /** Its position in the run's history, from 1. */
  readonly sequence: number;
  readonly step: string;
  /** Which of the step's functions was called. */
  readonly handler: HandlerName;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  readonly status: StepStatus;
  readonly output?: unknown;
  readonly error?: RecordedError;
  /** When the next attempt is due, if there is one. */
  readonly retryAt?: Date;
  /** Unknown for an attempt that died with its process. */
  readonly startedAt?: Date;
  readonly finishedAt: Date;
}

/** Which runs to list. */
export interface ListOptions {
  readonly workflowId?: string;
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
  readonly runs: readonly RunSummary[];
  /** Give it to the next call; absent on the last page. */
  readonly cursor?: string;
}

export function runSummary(message: RunRecordMessage): RunSummary {
  const { run, workflow, status, error, created_at_ms, finished_at_ms } = message;
  return {
    runId: run,
    workflowId: workflow,
    status,
    ...(error !== undefined && { error: error as RecordedError }),
    createdAt: new Date(created_at_ms),
    ...(finished_at_ms !== undefined && { finishedAt: new Date(finished_at_ms) }),
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
  const { sequence, name, handler, attempt, status, output, error, retry_at_ms, started_at_ms, finished_at_ms } =
    message;
  return {
    sequence,
    step: name,
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
