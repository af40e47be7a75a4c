/** The messages of the core, as `native/src/protocol.rs` defines them. */
import type { Code, ErrorClass } from "./generated.ts";

export type RunStatus = "pending" | "running" | "waiting" | "completed" | "failed" | "cancelled" | "stuck";
export type StepStatus = "completed" | "failed" | "timed_out" | "interrupted" | "cancelled";
export type HandlerName = "body" | "on_error" | "on_success" | "on_failure";

export interface NodeMessage {
  kind: "step" | "action";
  name: string;
  timeout_ms?: number;
  delay_ms?: number;
  retry?: RetryMessage;
  on_error?: boolean;
}

export interface RetryMessage {
  attempts: number;
  strategy: "fixed" | "linear" | "exponential";
  delay_ms: number;
  max_delay_ms?: number;
  multiplier?: number;
  jitter?: number;
}

export interface DefinitionMessage {
  id: string;
  version?: string;
  timeout_ms?: number;
  on_success?: boolean;
  on_failure?: boolean;
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
  handler?: HandlerName;
  attempt: number;
  sequence: number;
}

export interface EffectMessage {
  execute?: ExecuteMessage;
  abort?: { run: string; sequence: number; reason: "step_timeout" | "run_timeout" | "cancelled" | "ended" };
  finished?: { run: string; status: RunStatus };
  waiting?: { run: string };
}

export interface RequestAnswerMessage {
  seq: number;
  results?: ResultMessage[];
  error?: ErrorMessage;
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
  handler: HandlerName;
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
  status: RunStatus;
  payload?: unknown;
  trigger?: unknown;
  output?: unknown;
  error?: unknown;
  created_at_ms: number;
  finished_at_ms?: number;
  steps?: StepRecordMessage[];
  next_after?: number;
}

export interface AboutMessage {
  version: string;
  abi: number;
  sqlite: string;
  database: string;
  durability: string;
  wake_fd: number | null;
  executing: number;
  queued: number;
  workflows: string[];
}
