/** What a handler is given. */
import type { RecordedError } from "./errors.ts";
import { decode } from "./json.ts";
import type { Logger } from "./log.ts";

/** What started a run. */
export interface TriggerInfo {
  readonly type: "webhook" | "manual";
  /** Of a webhook: the request's method, path and headers (`authorization` and `cookie` are not recorded). */
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a handler is given. `Steps` maps the names of the steps before it to `{ output }`. */
export interface Context<Payload, Last, Steps> {
  /** What the run was started with. */
  readonly payload: Payload;
  /** The output of the step before; actions pass it through. */
  readonly last: Last;
  /** The outputs of all steps before. */
  readonly steps: Steps;
  readonly run: RunInfo;
  readonly trigger: TriggerInfo;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** The same for every attempt of this step of this run: give it to whatever must not happen twice. */
  readonly idempotencyKey: string;
  /** Aborted when the attempt has timed out, or its run was cancelled or has timed out. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** The context of `onError` and of hooks of a failed run. */
export interface ErrorContext<Payload, Last, Steps> extends Context<Payload, Last, Steps> {
  /** What the last attempt threw. */
  readonly error: RecordedError;
}

/** A context of which nothing is known at compile time: that of hooks. */
export interface AnyContext extends Context<unknown, unknown, Readonly<Record<string, { readonly output: unknown }>>> {
  readonly error?: RecordedError | undefined;
}

export interface RunInfo {
  readonly id: string;
  readonly workflowId: string;
  readonly startedAt: Date;
  readonly version?: string;
}

/** What this process remembers of a run it executes: recorded text, so that handlers see what a restart would show. */
export interface RunMemory {
  readonly runId: string;
  readonly workflowId: string;
  readonly version: string | undefined;
  readonly createdAtMs: number;
  readonly payload: string | undefined;
  readonly trigger: string | undefined;
  readonly outputs: Map<string, string | undefined>;
  last: string | undefined;
  error: string | undefined;
}

/** One attempt's view of its run. Values are decoded when they are asked for, each attempt has its own. */
export class AttemptContext implements AnyContext {
  readonly #memory: RunMemory;
  readonly #stepName: string;
  #controller: AbortController | undefined;
  #steps: Record<string, { readonly output: unknown }> | undefined;
  readonly attempt: number;
  readonly log: Logger;

  constructor(memory: RunMemory, stepName: string, attempt: number, log: Logger) {
    this.#memory = memory;
    this.#stepName = stepName;
    this.attempt = attempt;
    this.log = log;
  }

  get payload(): unknown {
    return this.#keep("payload", decode(this.#memory.payload));
  }

  get last(): unknown {
    return this.#keep("last", decode(this.#memory.last));
  }

  get trigger(): TriggerInfo {
    return this.#keep("trigger", (decode(this.#memory.trigger) ?? { type: "manual" }) as TriggerInfo);
  }

  get error(): RecordedError | undefined {
    return this.#keep("error", decode(this.#memory.error) as RecordedError | undefined);
  }

  get run(): RunInfo {
    const { runId, workflowId, createdAtMs, version } = this.#memory;
    return { id: runId, workflowId, startedAt: new Date(createdAtMs), ...(version !== undefined && { version }) };
  }

  get idempotencyKey(): string {
    return `${this.#memory.runId}:${this.#stepName}`;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  get steps(): Readonly<Record<string, { readonly output: unknown }>> {
    if (this.#steps === undefined) {
      this.#steps = Object.create(null) as Record<string, { readonly output: unknown }>;
      for (const [name, text] of this.#memory.outputs) {
        this.#steps[name] = new LazyOutput(text);
      }
    }
    return this.#steps;
  }

  /** Aborts the handler's signal, also when the handler asks for it only later. */
  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  /** Decoded once per attempt: what a handler changes, the same handler sees. */
  #keep<T>(name: string, value: T): T {
    Object.defineProperty(this, name, { value });
    return value;
  }
}

class LazyOutput {
  readonly #text: string | undefined;

  constructor(text: string | undefined) {
    this.#text = text;
  }

  get output(): unknown {
    const value = decode(this.#text);
    Object.defineProperty(this, "output", { value });
    return value;
  }
}
