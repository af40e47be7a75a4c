/** The messages of the core, as `native/src/protocol.rs` defines them. */
import type { Code, ErrorClass } from "./generated.ts";

export type RunStatus = "pending" | "running" | "waiting" | "completed" | "failed" | "cancelled" | "stuck";
export type StepStatus = "completed" | "failed" | "timed_out" | "interrupted" | "cancelled";
export type HandlerName =
  | "body"
  | "on_error"
  | "on_success"
  | "on_failure"
  | "condition"
  | "items"
  | "duration"
  | "input"
  | "filter"
  | "on_pause"
  | "on_timeout";

interface AnyNodeMessage {
  name: string;
  on_error?: boolean;
  retry?: RetryMessage;
}

/** A node of a workflow's tree. What is a function in TypeScript is only said to be there. */
export type NodeMessage = AnyNodeMessage &
  (
    | { kind: "step" | "action"; timeout_ms?: number; delay_ms?: number; cache?: boolean; circuit?: CircuitMessage }
    | { kind: "if"; branches: NodeMessage[][]; otherwise?: NodeMessage[] }
    | { kind: "parallel"; branches: NodeMessage[][]; keys?: string[] }
    | { kind: "race"; branches: NodeMessage[][] }
    | { kind: "while"; body: NodeMessage[]; max_iterations: number }
    | { kind: "for_each"; body: NodeMessage[]; concurrency: number; size?: number }
    | { kind: "sleep"; duration_ms?: number }
    | { kind: "sleep_until"; until_ms?: number }
    | { kind: "wait_for_event"; event: string; wait_ms?: number; filter?: boolean }
    | {
        kind: "approval";
        wait_ms?: number;
        on_pause?: boolean;
        on_timeout?: boolean;
        description?: string;
        metadata?: unknown;
      }
    | { kind: "subflow"; workflow: string; input?: boolean }
    | { kind: "cancel"; reason?: string }
  );

export type NodeKind = NodeMessage["kind"];

export interface CircuitMessage {
  name: string;
  threshold: number;
  recovery_ms: number;
}

export interface RetryMessage {
  attempts: number;
  strategy: "fixed" | "linear" | "exponential";
  delay_ms: number;
  max_delay_ms?: number;
  multiplier?: number;
  jitter?: number;
}

/** When runs of a workflow start by themselves. */
export interface ScheduleSpecMessage {
  name: string;
  timing:
    | { cron: { pattern: string; timezone: string } }
    | { interval: { every_ms: number } }
    | { poll: { every_ms: number } };
  misfire?: "skip" | "once" | "all";
  overlap?: "allow" | "skip" | "queue";
  jitter_ms?: number;
  concurrency_key?: string;
  rate_key?: string;
}

export interface DefinitionMessage {
  id: string;
  version?: string;
  timeout_ms?: number;
  on_success?: boolean;
  on_failure?: boolean;
  /** Runs (per key) that execute at the same time. */
  concurrency?: number;
  rate_limit?: { count: number; per_ms: number };
  /** Shared by all workflows that name it. */
  queue?: { name: string; concurrency?: number };
  priority?: number;
  retention_ms?: number;
  schedules?: ScheduleSpecMessage[];
  nodes: NodeMessage[];
}

export interface ErrorMessage {
  code: Code;
  class: ErrorClass;
  message: string;
}

/** `null` is "done", `{ refused }` is not done; the other shapes belong to their commands. */
export type ResultMessage = null | { refused: ErrorMessage } | Record<string, unknown>;

export interface ExecuteMessage {
  run: string;
  step?: string;
  scope?: string;
  handler?: HandlerName;
  attempt: number;
  fence: number;
  last?: string;
  event?: unknown;
  token?: string;
  error?: unknown;
}

export interface EffectMessage {
  execute?: ExecuteMessage;
  abort?: { run: string; fence: number; reason: "step_timeout" | "run_timeout" | "cancelled" | "ended" };
  /** What is recorded of a run that was read to go on. */
  known?: RunRecordMessage;
  recorded?: { run: string; step: string; scope?: string; output?: unknown };
  left?: { run: string; step: string; scope: string };
  finished?: { run: string; status: RunStatus; last?: string };
  waiting?: { run: string };
  /** Ask a poll for items, and report them by `polled`. */
  poll?: { schedule: number; workflow: string; name: string };
}

export interface RequestAnswerMessage {
  seq: number;
  results?: ResultMessage[];
  error?: ErrorMessage;
}

/** How many runs nothing is done for, by workflow. */
export interface UnattendedMessage {
  /** They do not fit what is defined, or are damaged. */
  stuck: { workflow: string; runs: number }[];
  /** Open ones of workflows that are not defined in this process. */
  orphaned: { workflow: string; runs: number }[];
}

export interface AnswerMessage {
  requests?: RequestAnswerMessage[];
  effects?: EffectMessage[];
  wake_at_ms?: number;
  /** The core failed to open, or was closed or poisoned. */
  error?: ErrorMessage;
}

export interface StepRecordMessage {
  sequence: number;
  name: string;
  scope?: string;
  /** `start`: a child run began; `retry`: the run was taken up again. */
  handler: HandlerName | "start" | "retry";
  attempt: number;
  status: StepStatus;
  output?: unknown;
  error?: unknown;
  retry_at_ms?: number;
  started_at_ms?: number;
  finished_at_ms: number;
}

export interface RunRecordMessage {
  run: string;
  workflow: string;
  version?: string;
  status: RunStatus;
  parent?: string;
  replay_of?: string;
  start_at_ms?: number;
  payload?: unknown;
  trigger?: unknown;
  output?: unknown;
  error?: unknown;
  created_at_ms: number;
  finished_at_ms?: number;
  steps?: StepRecordMessage[];
  next_after?: number;
}

export interface ApprovalMessage {
  run: string;
  workflow: string;
  step: string;
  scope?: string;
  status: "open" | "approved" | "rejected" | "expired" | "cancelled";
  description?: string;
  metadata?: unknown;
  opened_at_ms: number;
  expires_at_ms?: number;
}

export interface ScheduleMessage extends Required<Omit<ScheduleSpecMessage, "concurrency_key" | "rate_key">> {
  id: number;
  workflow: string;
  paused: boolean;
  /** Instants to come. */
  next_ms: number[];
  queued: number;
  last_at_ms?: number;
  last_run?: string;
  failures: number;
  error?: unknown;
}

/** A key of the state, until when it has its value, and which; the key alone when it has none any more. */
export type ChangedValueMessage = [key: string, expiresAtMs: number | null, value: unknown] | [key: string];

export interface AboutMessage {
  version: string;
  abi: number;
  /** Made of everything the library is compiled from: tells two builds of one version apart. */
  build: string;
  /** The target the library is compiled for, in Rust's words: `x86_64-unknown-linux-gnu`. */
  target: string;
  sqlite: string;
  database: string;
  durability: string;
  inline: boolean;
  wake_fd: number | null;
  executing: number;
  queued: number;
  workflows: string[];
  paused: string[];
}
