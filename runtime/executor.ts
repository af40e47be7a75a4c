/** Calls the user's functions as the core says, and reports how they ended. */

import type { Clock } from "./clock.ts";
import { AttemptContext, type ContextServices } from "./context.ts";
import type { NodeSpec } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { milliseconds } from "./duration.ts";
import { CancelSignal, errorOf, InvalidError, NonRetryableError } from "./errors.ts";
import { isRetryable, recordedError } from "./failure.ts";
import { handlerOf, nodeOf } from "./handlers.ts";
import { encode } from "./json.ts";
import type { Logger } from "./log.ts";
import { isOutput, Memories } from "./memories.ts";
import type { RunMemory } from "./memory.ts";
import { LIMITS } from "./native/generated.ts";
import type {
  ChangedValueMessage,
  EffectMessage,
  ErrorMessage,
  ExecuteMessage,
  ResultMessage,
} from "./native/protocol.ts";
import type { Pump } from "./pump.ts";
import { nodeKey } from "./scope.ts";
import { masked, refuseSecrets } from "./services/secrets/known.ts";
import { AttemptState, type ReadState, StateMirror } from "./state.ts";
import type { Ended } from "./waiters.ts";

/** An attempt that was given out and is not yet answered. */
interface Execution {
  readonly key: string;
  readonly message: ExecuteMessage;
  memory?: RunMemory;
  node?: NodeSpec | undefined;
  state?: AttemptState;
  context?: AttemptContext;
  /** What the core is told about the cache with the result. */
  cache?: string;
}

export interface ExecutorOptions {
  readonly pump: Pick<Pump, "send" | "ask">;
  readonly definitions: Definitions;
  readonly log: Logger;
  readonly clock: Clock;
  /** Runs of which this process remembers payload and outputs; the others are read again when needed. */
  readonly remembered: number;
  readonly readState: ReadState;
  readonly services: ContextServices;
  /** A run has ended. */
  readonly onFinished: (runId: string, ended: Ended) => void;
}

/** The attempts this process executes. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #executions = new Map<string, Execution>();
  readonly #memories: Memories;
  readonly #mirror: StateMirror;
  #onIdle: (() => void) | undefined;
  /** Of which no line says yet that they are stuck. */
  readonly #stuck: string[] = [];

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#memories = new Memories(options.definitions, options.pump, options.remembered);
    this.#mirror = new StateMirror(options.readState, options.clock);
  }

  /** Keeps what a run was started with, so that it need not be read again. */
  remember(memory: RunMemory): void {
    this.#memories.remember(memory);
  }

  handle(effect: EffectMessage): void {
    if (effect.execute !== undefined) this.#execute(effect.execute);
    else if (effect.known !== undefined) this.#memories.learn(effect.known);
    else if (effect.recorded !== undefined) this.#memories.recorded(effect.recorded);
    else if (effect.left !== undefined) this.#memories.left(effect.left);
    else if (effect.finished !== undefined) this.#finished(effect.finished);
    else if (effect.waiting !== undefined) this.#memories.waits(effect.waiting.run);
    else if (effect.abort !== undefined) this.#abort(effect.abort);
  }

  /** Run and fence of every attempt that was given out and is not yet answered. */
  *executing(): Iterable<readonly [string, number]> {
    for (const { message } of this.#executions.values()) yield [message.run, message.fence];
  }

  /** Whatever executes is nobody's any longer: handlers are aborted, and what they return goes nowhere. */
  abandon(): void {
    const executions = [...this.#executions.values()];
    this.#executions.clear();
    for (const { context } of executions) context?.abort(new DOMException("the process died", "AbortError"));
    this.#onIdle?.();
  }

  /** Resolves when nothing executes. */
  async idle(): Promise<void> {
    // An answer that ends one step may begin the next of the same run: look again after it.
    while (this.#executions.size > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  #execute(message: ExecuteMessage): void {
    const key = keyOf(message);
    // Effects may be given again; an attempt is executed once.
    if (this.#executions.has(key)) return;
    const execution: Execution = { key, message };
    this.#executions.set(key, execution);
    const memory = this.#memories.of(message);
    if (!(memory instanceof Promise)) return this.#begin(execution, memory);
    memory.then(
      (read) => this.#begin(execution, read),
      (error) => this.#threw(execution, error),
    );
  }

  #begin(execution: Execution, memory: RunMemory): void {
    const { message } = execution;
    // Aborted while its run was being read.
    if (this.#executions.get(execution.key) !== execution) return;
    const { log, services } = this.#options;
    const { definition } = memory;
    execution.memory = memory;
    if (definition === undefined) return this.#isMissing(execution);
    try {
      execution.node = nodeOf(definition, message, memory);
      execution.state = new AttemptState(this.#mirror, memory.workflowId);
      const { node, state } = execution;
      execution.context = new AttemptContext({ memory, node, message, definition, state, log, services });
      if (handlerOf(definition, node, message) === undefined) return this.#isMissing(execution);
      if (node?.options.cache !== undefined && (message.handler ?? "body") === "body") this.#recall(execution);
      else this.#call(execution);
    } catch (error) {
      this.#threw(execution, error);
    }
  }

  #isMissing(execution: Execution): void {
    const { message, memory } = execution;
    const what = message.step === undefined ? message.handler : `${message.handler ?? "body"} of \`${message.step}\``;
    const text = `workflow \`${memory?.workflowId}\` has no function for the ${what} in this process`;
    this.#threw(execution, new NonRetryableError(text));
  }

  /** Asks for an output that another run has recorded under the step's key; if there is one, the core ends the attempt. */
  #recall(execution: Execution): void {
    const { message, node, context } = execution;
    const options = node?.options.cache;
    if (options === undefined || context === undefined) return;
    const key = keyText(options.key(context), message.step);
    refuseSecrets(key, `cache key of step \`${message.step}\``);
    execution.cache = `,"cache":{"key":${key},"ttl_ms":${milliseconds(options.ttl)}}`;
    const command = `{"recall":{"run":"${message.run}","fence":${message.fence},"key":${key}}}`;
    const onResult = (result: ResultMessage, error: ErrorMessage | undefined): void => {
      if (this.#executions.get(execution.key) !== execution) return;
      if (error?.class === "invalid") this.#threw(execution, new NonRetryableError(error.message));
      else if (error !== undefined || (result as { hit: boolean }).hit) this.#over(execution);
      else this.#call(execution);
    };
    this.#options.pump.send(command, onResult, true);
  }

  #call(execution: Execution): void {
    const { message, node, context, memory } = execution;
    const handler = memory?.definition && handlerOf(memory.definition, node, message);
    if (handler === undefined || context === undefined) return this.#isMissing(execution);
    try {
      const returned = handler(context);
      if (isThenable(returned)) {
        returned.then(
          (output) => this.#returned(execution, output),
          (error) => this.#threw(execution, error),
        );
      } else {
        this.#returned(execution, returned);
      }
    } catch (error) {
      this.#threw(execution, error);
    }
  }

  #returned(execution: Execution, output: unknown): void {
    const { message, node, memory, state, cache } = execution;
    const { run, fence, step, scope, handler = "body" } = message;
    const gives = node !== undefined && isOutput(node.kind, handler);
    const keeps = gives || ANSWERS.has(handler);
    let text: string | undefined;
    try {
      text = keeps ? encode(output, `output of step \`${step}\``) : undefined;
    } catch (error) {
      return this.#threw(execution, error);
    }
    const outputField = text === undefined ? "" : `,"output":${text}`;
    // The core keeps texts: that there is no output cannot be kept.
    const cacheField = text === undefined ? "" : (cache ?? "");
    const command = `{"resolve":{"run":"${run}","fence":${fence}${outputField}${state?.message ?? ""}${cacheField}}}`;
    this.#report(execution, command, (result) => {
      const changed = (result as { state?: ChangedValueMessage[] } | null)?.state;
      if (changed !== undefined && memory !== undefined) this.#mirror.changed(memory.workflowId, changed);
      if (handler === "items") memory?.outputs.set(`${nodeKey(step as string, scope)}:items`, text);
      else if (gives) memory?.outputs.set(nodeKey(step as string, scope), text);
      if (handler === "body") this.#stepHook("onSuccess", execution);
    });
  }

  #threw(execution: Execution, thrown: unknown): void {
    const { run, fence, step, attempt } = execution.message;
    if (thrown instanceof CancelSignal) {
      const reason =
        masked(thrown.message)
          .toWellFormed()
          .slice(0, LIMITS.REASON_BYTES >> 2) || "cancelled";
      const command = `{"resolve":{"run":"${run}","fence":${fence},"cancel":${JSON.stringify(reason)}}}`;
      return this.#report(execution, command, () => {});
    }
    const { retry, circuitBreaker } = execution.node?.options ?? {};
    const error = recordedError(thrown);
    const retryable = isRetryable(thrown) && (retry?.retryOn === undefined || this.#asks(execution, thrown));
    const expected = circuitBreaker?.expectedErrors?.some((name) => name === error.name || name === error.code);
    const fields = `${retryable ? "" : ',"retryable":false'}${expected === true ? ',"expected":true' : ""}`;
    const command = `{"resolve":{"run":"${run}","fence":${fence},"error":${JSON.stringify(error)}${fields}}}`;
    this.#report(execution, command, (result) => {
      const retryAtMs = (result as { retry_at_ms?: number } | null)?.retry_at_ms;
      execution.context?.fail(error);
      if (step === undefined)
        this.#options.log.error(`the ${execution.message.handler} hook of run ${run} failed`, thrown);
      else if (retryAtMs === undefined) this.#stepHook("onFailure", execution);
      else if (retry?.onRetry !== undefined) {
        const delayMs = Math.max(retryAtMs - this.#options.clock.now(), 0);
        this.#aside("onRetry", execution, () => retry.onRetry?.(attempt, thrown, delayMs));
      }
    });
  }

  /** Whether `retryOn` wants another attempt. */
  #asks({ node, context, message }: Execution, thrown: unknown): boolean {
    try {
      return context !== undefined && node?.options.retry?.retryOn?.(thrown, context) === true;
    } catch (error) {
      this.#options.log.error(`retryOn of step \`${message.step}\` failed; the step is not tried again`, error);
      return false;
    }
  }

  /** Sends the end of an attempt. Until it is answered the attempt counts as executing. */
  #report(execution: Execution, command: string, recorded: (result: ResultMessage) => void): void {
    const { message } = execution;
    // Aborted: the core has ended the attempt and would refuse its result.
    if (this.#executions.get(execution.key) !== execution) return;
    const onResult = (result: ResultMessage, error: ErrorMessage | undefined): void => {
      // What cannot be recorded fails the attempt, which is reported in its place.
      if (error?.class === "invalid") return this.#threw(execution, notRecorded(execution, error));
      this.#executions.delete(execution.key);
      if (error === undefined) recorded(result);
      // A late result is refused, as promised; everything else is worth a line.
      else if (error.code !== "attempt_ended")
        this.#options.log.error(`the result of run ${message.run} was refused: ${error.message}`);
      if (message.step === undefined) this.#memories.forget(message.run);
      if (this.#executions.size === 0) this.#onIdle?.();
    };
    this.#options.pump.send(command, onResult, true);
  }

  #stepHook(name: "onSuccess" | "onFailure", execution: Execution): void {
    const { message, context, memory } = execution;
    if (message.handler !== undefined || context === undefined || memory === undefined) return;
    const hook = memory.definition?.options.hooks?.[name];
    if (hook !== undefined) this.#aside(name, execution, () => hook(context, message.step));
  }

  /** Calls a function whose outcome nothing waits for. */
  #aside(what: string, { message }: Execution, call: () => unknown): void {
    const failed = (error: unknown): void =>
      this.#options.log.error(`the ${what} hook of step \`${message.step}\` failed`, error);
    try {
      Promise.resolve(call()).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #finished({ run, status, last }: NonNullable<EffectMessage["finished"]>): void {
    if (status === "stuck") this.#warnOfStuck(run);
    const memory = this.#memories.get(run);
    const isKnown = memory !== undefined && status === "completed" && (last === undefined || memory.outputs.has(last));
    const output = last === undefined ? undefined : memory?.outputs.get(last);
    this.#options.onFinished(run, isKnown ? { completed: { output } } : {});
    // A hook that is called for this end still executes, and is given what is remembered.
    const hooks = memory?.definition?.options.hooks;
    const hook = status === "completed" ? hooks?.onSuccess : status === "failed" ? hooks?.onFailure : undefined;
    if (hook === undefined) this.#memories.forget(run);
  }

  /** One line for all that are found at once: a deployment may leave many behind. */
  #warnOfStuck(run: string): void {
    this.#stuck.push(run);
    if (this.#stuck.length > 1) return;
    setImmediate(() => {
      const [first, ...others] = this.#stuck.splice(0);
      const which = others.length === 0 ? `run ${first} is` : `${others.length + 1} runs, ${first} first, are`;
      this.#options.log.warn(
        `${which} stuck: the workflow is not the one they began with, or what is stored does not fit it. ` +
          '`list({ status: "stuck" })` and `inspect` tell more; they go on when their version is defined again, or by `retryRun`.',
      );
    });
  }

  #abort({ run, fence, reason }: NonNullable<EffectMessage["abort"]>): void {
    const execution = this.#executions.get(`${run}/${fence}`);
    if (execution === undefined) return;
    // The core has ended the attempt: nothing waits for the handler any longer, and what it returns is refused.
    execution.context?.abort(
      new DOMException(ABORTED[reason], reason.endsWith("timeout") ? "TimeoutError" : "AbortError"),
    );
    this.#over(execution);
  }

  #over({ key }: Execution): void {
    this.#executions.delete(key);
    if (this.#executions.size === 0) this.#onIdle?.();
  }
}

/** Functions that answer a question of the core. */
const ANSWERS = new Set(["condition", "items", "duration", "input", "filter"]);

const ABORTED = {
  step_timeout: "the step took longer than its timeout",
  run_timeout: "the run took longer than its workflow's timeout",
  cancelled: "the run was cancelled",
  ended: "the result is no longer wanted",
} as const;

/** Why the end of an attempt could not be recorded. */
function notRecorded({ message: { step, handler }, state }: Execution, error: ErrorMessage): Error {
  const changes = state?.message ?? "";
  if (error.code !== "request_too_large" || changes === "") return new NonRetryableError(error.message);
  const what = step === undefined ? `The ${handler} hook` : `Step \`${step}\``;
  const bytes = Buffer.byteLength(changes);
  const text = `${what} changes too much of \`ctx.state\` at once: ${bytes} bytes.`;
  return errorOf(error.code, `${text} ${error.message} Change less in one step.`);
}

/** JSON text of a cache's key. Anything else made into a text would be the same for values that are not the same. */
function keyText(key: unknown, step: string | undefined): string {
  if (typeof key === "string" && key !== "") return JSON.stringify(key.toWellFormed());
  const message = `The \`key\` of the cache of step \`${step}\` gave ${Bun.inspect(key, { depth: 1 })} instead of a text.`;
  throw new InvalidError("value_invalid", message);
}

function keyOf({ run, fence }: ExecuteMessage): string {
  return `${run}/${fence}`;
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
