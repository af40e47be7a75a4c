/** What a handler is given. */
import type { Definition, NodeSpec } from "./definition.ts";
import type { Duration } from "./duration.ts";
import { CancelSignal, type RecordedError } from "./errors.ts";
import { decode } from "./json.ts";
import type { Logger } from "./log.ts";
import { type Iteration, iterationIn, type RunMemory } from "./memory.ts";
import type { HandlerName } from "./native/protocol.ts";
import { nodeKey } from "./scope.ts";
import type { GlobalServices } from "./services/global.ts";
import type { Services } from "./services/services.ts";
import { recordedSteps } from "./steps.ts";

export type { RunMemory } from "./memory.ts";

/** What started a run. */
export interface TriggerInfo {
  /** What kind of trigger it was; `"manual"`: `trigger`, `execute` or the management API. */
  readonly type: "webhook" | "manual" | "schedule" | "interval" | "event" | "poll" | "service" | "subflow";
  /** Of a webhook: the request's method and path. */
  readonly method?: string;
  /** Of a webhook: the path that was asked for, without the query. */
  readonly path?: string;
  /** Of a webhook whose path has parameters. */
  readonly params?: Readonly<Record<string, string>>;
  /** Of a webhook: what stands after the `?`. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** Of a webhook: the request's headers. Values of those that carry credentials are `[redacted]`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a webhook with `parseRawBody: true`. */
  readonly rawBody?: string;
  /** Of a schedule, an interval, a poll or a service's trigger: its name. */
  readonly name?: string;
  /** Of a schedule or an interval: the instant it was started for, ISO 8601. */
  readonly scheduledAt?: string;
  /** Of a poll: the id of the item; of a service's trigger: of the message, if it has one. */
  readonly id?: string;
  /** Of a service's trigger: the service's name. */
  readonly service?: string;
  /** Of an event: its name. */
  readonly event?: string;
  /** Of a subflow: the run that waits for it. */
  readonly parent?: string;
}

/** The run that a handler executes for. */
export interface RunInfo {
  /** `run_…`; given to `inspect`, `result`, `cancelRun` and the others. */
  readonly id: string;
  /** The id of its workflow. */
  readonly workflowId: string;
  /** When the run was recorded, also when it began to execute later. */
  readonly startedAt: Date;
  /** The `version` of the definition that it executes, if it has one. */
  readonly version?: string;
}

/** What the workflow says of itself. */
export interface WorkflowMeta {
  /** `name` of `define`. */
  readonly name?: string;
  /** `description` of `define`. */
  readonly description?: string;
  /** `tags` of `define`. Default: none. */
  readonly tags: readonly string[];
}

/**
 * Values a workflow keeps from run to run. Changes commit with the step's result, so a retry never counts twice; the
 * handler that makes them sees them at once.
 */
export interface State {
  /** A value, or `standard` (default `undefined`) if there is none or its time is over. */
  get<T = unknown>(key: string): T | undefined;
  get<T>(key: string, standard: T): T;
  /** @param options `ttl`: how long the value is kept. Default: until it is deleted. */
  set(key: string, value: unknown, options?: { readonly ttl?: Duration }): void;
  /** Adds `by` (default 1) to a number, which begins at 0, and gives the sum. */
  incr(key: string, by?: number): number;
  /** Removes a value. Nothing happens if there is none. */
  delete(key: string): void;
}

/** What a handler is given. `Steps` maps the names of the steps before it to `{ output }`. */
export interface Context<Payload, Last, Steps> {
  /** What the run was started with. */
  readonly payload: Payload;
  /** The output of the step before; actions pass it through. */
  readonly last: Last;
  /** The outputs of all steps before. */
  readonly steps: Steps;
  /** The run: its id, its workflow, when it started. */
  readonly run: RunInfo;
  /** Name, description and tags of the workflow. */
  readonly meta: WorkflowMeta;
  /** What started the run: of a webhook the request, of a schedule its instant, and so on. */
  readonly trigger: TriggerInfo;
  /** Values that the workflow keeps from run to run. Changes commit with the result of the step. */
  readonly state: State;
  /** The services of the engine, and those of the workflow. */
  readonly services: GlobalServices;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /** The same for every attempt of this step of this run: give it to whatever must not happen twice. */
  readonly idempotencyKey: string;
  /** Aborted when the attempt has timed out, or its run was cancelled or has timed out. */
  readonly signal: AbortSignal;
  /** The engine's log. Secrets are masked. */
  readonly log: Logger;
  /** Ends the run as cancelled, which is no failure. */
  cancel(reason?: string): never;
}

/**
 * What `forEach` adds to the context of the steps in its body. It stands in the inferred types of flows: exported, so that
 * declarations can name it; nobody needs to write it.
 */
export interface ItemFields<Item> {
  /** What the list has at this position, as it was recorded. */
  readonly item: Item;
  /** The position of the item, from 0. */
  readonly index: number;
}

/**
 * What `batch` adds to the context of the steps in its body. It stands in the inferred types of flows: exported, so that
 * declarations can name it; nobody needs to write it.
 */
export interface BatchFields<Item> {
  /** Up to `size` items, in the order of the list, as they were recorded. */
  readonly batch: readonly Item[];
  /** The position of the batch, from 0. */
  readonly index: number;
}

/** The context of `onError` and of hooks of a failed run. */
export interface ErrorContext<Payload, Last, Steps> extends Context<Payload, Last, Steps> {
  /** What the last attempt threw. */
  readonly error: RecordedError;
}

/** The context of `onPause`: whoever has the token can answer. */
export interface PauseContext<Payload, Last, Steps> extends Context<Payload, Last, Steps> {
  /** What the approval's `approvalUrl` makes of the token. */
  readonly approvalUrl: string | undefined;
}

/** A context of which nothing is known at compile time: that of hooks. */
export interface AnyContext extends Context<unknown, unknown, Readonly<Record<string, { readonly output: unknown }>>> {
  /** What went wrong: in `onError`, and in the hooks of what has failed. */
  readonly error?: RecordedError | undefined;
  /** Those that the workflow names. */
  readonly secrets: Readonly<Record<string, string>>;
  /** In the body of a `forEach`. */
  readonly item?: unknown;
  /** In the body of a `forEach` or `batch`. */
  readonly index?: number | undefined;
  /** In the body of a `batch`. */
  readonly batch?: readonly unknown[] | undefined;
  /** The payload of the event a `filter` is asked about. */
  readonly event?: unknown;
  /** The token of the approval `onPause` tells of. */
  readonly token?: string | undefined;
  /** In `onPause`: what the approval's `approvalUrl` makes of the token. */
  readonly approvalUrl?: string | undefined;
}

/** What the core says of an attempt. */
export interface AttemptMessage {
  readonly step?: string;
  readonly scope?: string;
  readonly handler?: HandlerName;
  readonly attempt: number;
  /** The key of the output that is `ctx.last`. */
  readonly last?: string;
  readonly event?: unknown;
  readonly token?: string;
  /** What went wrong: told to `onError` and to the hook of a failed run. */
  readonly error?: unknown;
}

export interface AttemptParts {
  readonly memory: RunMemory;
  /** Absent for hooks of the whole run. */
  readonly node: NodeSpec | undefined;
  readonly message: AttemptMessage;
  readonly definition: Definition;
  readonly state: State;
  readonly log: Logger;
  readonly services: ContextServices;
}

/** What services give to a context. */
export type ContextServices = Pick<Services, "of" | "secretsOf">;

/** One attempt's view of its run. Values are decoded when they are asked for, each attempt has its own. */
export class AttemptContext implements AnyContext {
  readonly #parts: AttemptParts;
  #controller: AbortController | undefined;
  #decoded: Iteration | undefined;
  #error: RecordedError | undefined;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
  }

  get payload(): unknown {
    return this.#keep("payload", decode(this.#parts.memory.payload));
  }

  get last(): unknown {
    const { memory, message } = this.#parts;
    return this.#keep("last", message.last === undefined ? undefined : decode(memory.outputs.get(message.last)));
  }

  get steps(): Readonly<Record<string, { readonly output: unknown }>> {
    const { definition, memory, node, message } = this.#parts;
    return this.#keep("steps", recordedSteps(definition, memory.outputs, node, message.scope ?? ""));
  }

  get trigger(): TriggerInfo {
    return this.#keep("trigger", (decode(this.#parts.memory.trigger) ?? { type: "manual" }) as TriggerInfo);
  }

  get error(): RecordedError | undefined {
    return this.#error ?? (this.#parts.message.error as RecordedError | undefined);
  }

  get run(): RunInfo {
    const { runId, workflowId, createdAtMs, version } = this.#parts.memory;
    return { id: runId, workflowId, startedAt: new Date(createdAtMs), ...(version !== undefined && { version }) };
  }

  get meta(): WorkflowMeta {
    const { name, description, tags = [] } = this.#parts.definition.options;
    return { ...(name !== undefined && { name }), ...(description !== undefined && { description }), tags };
  }

  get state(): State {
    return this.#parts.state;
  }

  get services(): GlobalServices {
    const { services, definition, memory, message } = this.#parts;
    return this.#keep("services", services.of(definition, { run: memory.runId, step: message.step }));
  }

  get secrets(): Readonly<Record<string, string>> {
    const { services, definition } = this.#parts;
    return this.#keep("secrets", services.secretsOf(definition));
  }

  get attempt(): number {
    return this.#parts.message.attempt;
  }

  get idempotencyKey(): string {
    const { memory, message } = this.#parts;
    return `${memory.runId}:${nodeKey(message.step ?? message.handler ?? "", message.scope)}`;
  }

  get log(): Logger {
    return this.#parts.log;
  }

  get item(): unknown {
    return this.#isBatch() ? undefined : this.#iteration?.value;
  }

  get index(): number | undefined {
    return this.#iteration?.index;
  }

  get batch(): readonly unknown[] | undefined {
    return this.#isBatch() ? (this.#iteration?.value as readonly unknown[]) : undefined;
  }

  get event(): unknown {
    return this.#parts.message.event;
  }

  get token(): string | undefined {
    return this.#parts.message.token;
  }

  get approvalUrl(): string | undefined {
    const { node, message } = this.#parts;
    return message.token === undefined ? undefined : node?.approvalUrl?.(message.token);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  cancel(reason?: string): never {
    throw new CancelSignal(reason);
  }

  /** The attempt has failed; its step's `onFailure` hook is told why. */
  fail(error: RecordedError): void {
    this.#error = error;
  }

  /** Aborts the handler's signal, also when the handler asks for it only later. */
  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  /** The iteration of the innermost `forEach` or `batch` around the step. */
  get #iteration(): Iteration | undefined {
    const { memory, node, message } = this.#parts;
    const level = this.#innermost();
    const loop = node?.loops[level];
    if (loop !== undefined) this.#decoded ??= iterationIn(memory, loop, level, message.scope ?? "");
    return this.#decoded;
  }

  #innermost(): number {
    return this.#parts.node?.loops.findLastIndex(({ kind }) => kind === "for_each") ?? -1;
  }

  #isBatch(): boolean {
    return this.#parts.node?.loops[this.#innermost()]?.size !== undefined;
  }

  /** Decoded once per attempt: what a handler changes, the same handler sees. */
  #keep<T>(name: string, value: T): T {
    Object.defineProperty(this, name, { value });
    return value;
  }
}
