/** What is said about a workflow and about its steps. */
import type { AnyContext } from "../context.ts";
import type { Duration } from "../duration.ts";
import type { SecretReference } from "../services/secrets/reference.ts";
import type { AnyService } from "../services/types.ts";

/** When a failed step is tried again. */
export interface RetryOptions {
  /** Attempts in all, the first included. Default 3. */
  readonly attempts?: number;
  /** How long to wait before the next attempt. Default: exponential, from one second to one hour. */
  readonly backoff?: BackoffOptions;
  /** Whether an error is worth another attempt. Default: every error but a `NonRetryableError`. */
  readonly retryOn?: (error: unknown, context: AnyContext) => boolean;
  /** Called when another attempt has been scheduled, with the number of the one that failed. */
  readonly onRetry?: (attempt: number, error: unknown, delayMs: number) => unknown;
}

/** How long to wait between attempts. */
export interface BackoffOptions {
  /** Always `delay`, `delay × attempt`, or `delay × multiplier ^ (attempt − 1)`. Default `"exponential"`. */
  readonly strategy?: "fixed" | "linear" | "exponential";
  /** The first delay. Default one second. */
  readonly delay?: Duration;
  /** No delay is longer. Default one hour. */
  readonly maxDelay?: Duration;
  /** The factor of `exponential`, from 1 to 1000. Default 2. */
  readonly multiplier?: number;
  /** The part of a delay that is random, from 0 to 1; `true` is 1 ("full jitter"). Default 0. */
  readonly jitter?: boolean | number;
}

/** An output that is used again by other runs of the workflow. `undefined` is no output: what returns it is called each time. */
export interface CacheOptions {
  /** Attempts with the same key share an output. Anything but a text, or an empty one, fails the attempt for good. */
  readonly key: (context: AnyContext) => string;
  /** How long an output may be used again. */
  readonly ttl: Duration;
}

/** Stops calling what keeps failing, and tries it again after a while. */
export interface CircuitBreakerOptions {
  /** Steps with the same name share a breaker. Default `<workflow>.<step>`. */
  readonly name?: string;
  /** Failures in a row that open it. Default 5. */
  readonly failureThreshold?: number;
  /** How long it stays open before one attempt is let through. Default 30 s. */
  readonly recoveryTimeout?: Duration;
  /** Names or codes of errors that say nothing about the health of what is called: they are not counted. */
  readonly expectedErrors?: readonly string[];
}

/** What is said about one step. */
export interface StepOptions {
  /** A heading, for those who read the code: the engine does not use it. Default: none. */
  readonly title?: string;
  /** What it does, for those who read the code: the engine does not use it. Default: none. */
  readonly description?: string;
  /** When it is tried again. Default: the workflow's `retry`, or one attempt. */
  readonly retry?: RetryOptions;
  /** How long an attempt may take; then its `ctx.signal` is aborted and its result refused. */
  readonly timeout?: Duration;
  /** How long to wait before the first attempt. */
  readonly delay?: Duration;
  /** Uses its output again, in other runs too. For `step` only. Default: never. */
  readonly cache?: CacheOptions;
  /** Stops calling it when it keeps failing. Default: it is always called. */
  readonly circuitBreaker?: CircuitBreakerOptions;
}

/**
 * Called after a run has ended: at least once, also when the process dies in between. With a `stepId` it is called
 * after a step has ended for good: at most once, because a step's result does not wait for it.
 */
export type Hook = (context: AnyContext, stepId?: string) => unknown;

/** Secrets of a workflow by the names it has for them. */
export type SecretReferences = Readonly<Record<string, SecretReference>>;

/** The hooks of a workflow. They are methods, so that their context may be declared with the services it has. */
export interface Hooks<Added = unknown> {
  /** Called after a run has completed, and with a `stepId` after a step has. Default: nothing is. */
  onSuccess?(context: AnyContext & Added, stepId?: string): unknown;
  /**
   * Called after a run has failed for good, and with a `stepId` after a step has. Not for runs that were cancelled.
   * Default: nothing is.
   */
  onFailure?(context: AnyContext & Added, stepId?: string): unknown;
}

// `key` is a method, so that its parameter may be declared as the payload it is.

/** How many runs of a workflow execute at the same time; the others wait in order. */
export interface ConcurrencyOptions {
  /** Runs at the same time, of each key if there is one. From 1. */
  readonly limit: number;
  /** Counts the runs of each key (a tenant, an account) for themselves. Default: all runs together. */
  key?(payload: unknown): string;
}

/** How many runs of a workflow begin in a span of time; the others wait in order. */
export interface RateLimitOptions {
  /** How many runs may begin in such a span, of each key if there is one. From 1 to 10,000. */
  readonly count: number;
  /** The length of the span. At least a millisecond. */
  readonly per: Duration;
  /** Counts the runs of each key for themselves. Default: all runs together. */
  key?(payload: unknown): string;
}

/** A queue is shared by all workflows that name it. */
export interface QueueOptions {
  /** What workflows share it by: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`. */
  readonly name: string;
  /** Runs of all these workflows that execute at the same time. Default: no limit. */
  readonly concurrency?: number;
}

/**
 * What is said about a whole workflow.
 *
 * `Services` are those it uses, `Secrets` those it reads, `Added` what both add to the context of its handlers.
 */
export interface WorkflowOptions<
  Services extends readonly AnyService[] = readonly AnyService[],
  Secrets extends SecretReferences = SecretReferences,
  Added = unknown,
> {
  /** `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`, unique in the engine. */
  readonly id: string;
  /** A heading for people: `ctx.meta.name`, and in the management API. Default: none. */
  readonly name?: string;
  /** What it does, for people: `ctx.meta.description`, and in the management API. Default: none. */
  readonly description?: string;
  /** Words to group workflows by: `ctx.meta.tags`, and in the management API. Default: none. */
  readonly tags?: readonly string[];
  /** Your word for this state of the code. */
  readonly version?: string;
  /** How long a run may take in all. Default: as long as it takes. */
  readonly timeout?: Duration;
  /** Runs that execute at the same time. Default: no limit but the engine's. */
  readonly concurrency?: number | ConcurrencyOptions;
  /** Runs that begin in a span of time. Default: no limit. */
  readonly rateLimit?: RateLimitOptions;
  /** The queue its runs stand in: its name, or name and limit. Default: none. */
  readonly queue?: string | QueueOptions;
  /** From -100 to 100, higher first; one level is worth ten seconds of waiting. Default 0. */
  readonly priority?: number;
  /** Ended runs are deleted after this. Default: they are kept. */
  readonly retention?: Duration;
  /** The retry policy of steps that have none of their own. Default: one attempt. */
  readonly retry?: RetryOptions;
  /** Functions that are told how runs and steps ended. Default: none. */
  readonly hooks?: Hooks<Added>;
  /** What its handlers call by `ctx.services`. */
  readonly services?: Services;
  /** Texts its handlers find in `ctx.secrets`, read when the engine starts: a missing one fails the start. */
  readonly secrets?: Secrets;
}
