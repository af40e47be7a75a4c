/**
 * cronflow-ffi: durable workflows inside a Bun process.
 *
 * @module
 */
import { Cronflow } from "./app.ts";

export type { ApprovalAnswer, EngineOptions, ReplayOptions, StartOptions, TriggerOptions } from "./app.ts";
export { Cronflow, createCronflow } from "./app.ts";
export type { Flow } from "./builder/flow.ts";
export type { Approval, At, Closed, If, Inside, NoSteps, Passing, TimedOut, Uses } from "./builder/types.ts";
export type { AnyWorkflow, NoTrigger, PayloadOf, RunInputOf, RunOutputOf } from "./builder/workflow.ts";
export { Workflow } from "./builder/workflow.ts";
export type {
  AnyContext,
  BatchFields,
  Context,
  ErrorContext,
  ItemFields,
  PauseContext,
  State,
  TriggerInfo,
} from "./context.ts";
export type { WebhookHeaders, WebhookStart } from "./definition/webhook-options.ts";
export type {
  BackoffOptions,
  CacheOptions,
  CircuitBreakerOptions,
  ConcurrencyOptions,
  EventOptions,
  Hook,
  IntervalOptions,
  Misfire,
  Overlap,
  Poll,
  PollContext,
  PollItem,
  PollOptions,
  QueueOptions,
  RateLimitOptions,
  RetryOptions,
  ScheduleOptions,
  StepOptions,
  WebhookOptions,
  WorkflowOptions,
} from "./definition.ts";
export type { Duration } from "./duration.ts";
export * from "./errors.ts";
export type { PublishedEvent } from "./events.ts";
export type { Auth } from "./http/auth/guard.ts";
export type { NodeHandler, NodeHandlerOptions } from "./http/node.ts";
export type { HttpSettings } from "./http/options.ts";
export type {
  DirectVerifier,
  HmacScheme,
  Repeats,
  Secret,
  Secrets,
  SignedParts,
  SignedRequest,
  Tolerance,
  Verified,
  Verifier,
} from "./http/verify/index.ts";
export { github, hmac, slack, standardWebhooks, stripe, verify } from "./http/verify/index.ts";
export { WebhookError } from "./http/webhook/error.ts";
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
export type { Schedule } from "./schedules.ts";
export type { Issue, Schema } from "./schema.ts";
export { ServiceConfigError } from "./services/configuration.ts";
export { defineService } from "./services/define.ts";
export * from "./services/global.ts";
export type { SecretReference, SecretSource, WithSecrets } from "./services/secrets/reference.ts";
export { secret } from "./services/secrets/reference.ts";
export { ServiceError } from "./services/service-error.ts";
export type {
  ActionsOf,
  AnyActions,
  AnyService,
  AnyTriggers,
  Configuration,
  Emit,
  Service,
  ServiceEngine,
  ServiceOptions,
  ServiceParts,
  ServiceSetup,
  ServicesOf,
  ServiceType,
  TriggerContext,
} from "./services/types.ts";
export { SharedState } from "./state.ts";

/** The default engine. */
export const cronflow: Cronflow = new Cronflow();
