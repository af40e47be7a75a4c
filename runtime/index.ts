/**
 * cronflow-ffi: durable workflows inside a Bun process.
 *
 * @module
 */
import { Cronflow } from "./app.ts";

export type { ApprovalAnswer, EngineOptions, ReplayOptions, StartOptions, TriggerOptions } from "./app.ts";
export { Cronflow, createCronflow } from "./app.ts";
export type { Flow } from "./builder/flow.ts";
export type { Approval, TimedOut } from "./builder/types.ts";
export type { AnyWorkflow, PayloadOf, RunOutputOf } from "./builder/workflow.ts";
export { Workflow } from "./builder/workflow.ts";
export type { AnyContext, Context, ErrorContext, PauseContext, State, TriggerInfo } from "./context.ts";
export type {
  BackoffOptions,
  CacheOptions,
  CircuitBreakerOptions,
  ConcurrencyOptions,
  Hook,
  QueueOptions,
  RateLimitOptions,
  RetryOptions,
  StepOptions,
  WebhookOptions,
  WorkflowOptions,
} from "./definition.ts";
export type { Duration } from "./duration.ts";
export * from "./errors.ts";
export type { Logger } from "./log.ts";
export type { Recorded } from "./recorded.ts";
export type {
  AttemptRecord,
  ListOptions,
  PausedWorkflow,
  RunList,
  RunRecord,
  RunStatus,
  RunSummary,
  StepStatus,
} from "./records.ts";
export type { Schema } from "./schema.ts";
export { SharedState } from "./state.ts";

/** The default engine. */
export const cronflow: Cronflow = new Cronflow();
