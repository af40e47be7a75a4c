/** A workflow as the builder leaves it: what the core is told of it, and the functions that stay here. */
import type { MiddlewareHandler } from "hono";
import type { AnyContext } from "./context.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { InvalidError } from "./errors.ts";
import type { DefinitionMessage, NodeMessage, RetryMessage } from "./native/protocol.ts";
import type { Schema } from "./schema.ts";

/** When a failed step is tried again. */
export interface RetryOptions {
  /** Attempts in all, the first included. Default 3. */
  readonly attempts?: number;
  readonly backoff?: BackoffOptions;
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

/**
 * Called after a run has ended: at least once, also when the process dies in between. With a `stepId` it is called
 * after a step has ended for good: at most once, because a step's result does not wait for it.
 */
export type Hook = (context: AnyContext, stepId?: string) => unknown;

/** What is said about a whole workflow. */
export interface WorkflowOptions {
  /** `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`, unique in the engine. */
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** Your word for this state of the code. */
  readonly version?: string;
  /** How long a run may take in all. Default: as long as it takes. */
  readonly timeout?: Duration;
  /** The retry policy of steps that have none of their own. Default: one attempt. */
  readonly retry?: RetryOptions;
  readonly hooks?: { readonly onSuccess?: Hook; readonly onFailure?: Hook };
}

/** What is said about one step. */
export interface StepOptions {
  readonly title?: string;
  readonly description?: string;
  readonly retry?: RetryOptions;
  /** How long an attempt may take; then its `ctx.signal` is aborted and its result refused. */
  readonly timeout?: Duration;
  /** How long to wait before the first attempt. */
  readonly delay?: Duration;
}

export type AnyHandler = (context: AnyContext) => unknown;

/** A step or an action, with its functions. */
export interface Step {
  readonly kind: "step" | "action";
  readonly name: string;
  readonly handler: AnyHandler;
  options: StepOptions;
  onError?: AnyHandler;
}

/** What a webhook does with a request. */
export interface WebhookOptions<S extends Schema = Schema> {
  /** Default `"POST"`. */
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE";
  /** Parses the body; the parsed value is the payload. Without it any JSON is. */
  readonly schema?: S;
  /** Two requests with the same key start one run. */
  readonly idempotencyKey?: (request: Request) => string | null | undefined;
  /** `"accepted"` answers 202 after the commit, `"result"` waits for the run's output. Default `"accepted"`. */
  readonly respond?: "accepted" | "result";
  /** How long `respond: "result"` waits before it answers 504. Default 30 s. */
  readonly timeout?: Duration;
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Hono middleware, before anything else. */
  readonly middleware?: readonly MiddlewareHandler[];
}

export interface WebhookTrigger {
  readonly type: "webhook";
  readonly path: string;
  readonly options: WebhookOptions;
}

export interface ManualTrigger {
  readonly type: "manual";
  readonly schema?: Schema;
}

export type Trigger = WebhookTrigger | ManualTrigger;

/** A whole workflow. */
export class Definition {
  readonly triggers: Trigger[] = [];
  readonly steps: Step[] = [];
  readonly #byName = new Map<string, Step>();

  constructor(readonly options: WorkflowOptions) {
    checkName("workflow id", options.id);
  }

  get id(): string {
    return this.options.id;
  }

  add(step: Step): void {
    checkName(`step name in workflow \`${this.id}\``, step.name);
    if (this.#byName.has(step.name)) {
      const first = this.steps.findIndex(({ name }) => name === step.name) + 1;
      throw new InvalidError(
        "definition_invalid",
        `Workflow \`${this.id}\` has two steps named \`${step.name}\`: number ${first} and number ${this.steps.length + 1}. Rename one.`,
      );
    }
    this.#byName.set(step.name, step);
    this.steps.push(step);
  }

  step(name: string): Step | undefined {
    return this.#byName.get(name);
  }

  /** The step that a chained `.retry()`, `.timeout()` … speaks of. */
  lastStep(method: string): Step {
    const step = this.steps.at(-1);
    if (step === undefined) {
      throw new InvalidError(
        "definition_invalid",
        `Workflow \`${this.id}\`: .${method}() follows a step, and there is none yet.`,
      );
    }
    return step;
  }

  /** What the core is told. */
  toMessage(): DefinitionMessage {
    const { id, version, timeout, hooks } = this.options;
    return {
      id,
      ...(version !== undefined && { version }),
      ...(timeout !== undefined && { timeout_ms: milliseconds(timeout) }),
      ...(hooks?.onSuccess !== undefined && { on_success: true }),
      ...(hooks?.onFailure !== undefined && { on_failure: true }),
      nodes: this.steps.map((step) => this.#node(step)),
    };
  }

  #node({ kind, name, options, onError }: Step): NodeMessage {
    const retry = options.retry ?? this.options.retry;
    return {
      kind,
      name,
      ...(options.timeout !== undefined && { timeout_ms: milliseconds(options.timeout) }),
      ...(options.delay !== undefined && { delay_ms: milliseconds(options.delay) }),
      ...(retry !== undefined && { retry: retryMessage(retry) }),
      ...(onError !== undefined && { on_error: true }),
    };
  }
}

function retryMessage({ attempts = 3, backoff = {} }: RetryOptions): RetryMessage {
  const { strategy = "exponential", delay = 1_000, maxDelay, multiplier, jitter } = backoff;
  return {
    attempts,
    strategy,
    delay_ms: milliseconds(delay),
    ...(maxDelay !== undefined && { max_delay_ms: milliseconds(maxDelay) }),
    ...(multiplier !== undefined && { multiplier }),
    ...(jitter !== undefined && { jitter: Number(jitter) }),
  };
}

function checkName(what: string, name: unknown): void {
  if (typeof name !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) {
    throw new InvalidError(
      "definition_invalid",
      `The ${what} ${JSON.stringify(name)} is not of the form [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.`,
    );
  }
}
