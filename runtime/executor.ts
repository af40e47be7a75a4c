/** Calls the user's functions as the core says, and reports how they ended. */
import { AttemptContext, type RunMemory } from "./context.ts";
import type { AnyHandler, Definition } from "./definition.ts";
import { type CronflowError, NonRetryableError, type RecordedError } from "./errors.ts";
import { encode } from "./json.ts";
import type { Logger } from "./log.ts";
import { LIMITS } from "./native/generated.ts";
import type {
  EffectMessage,
  ErrorMessage,
  ExecuteMessage,
  ResultMessage,
  RunRecordMessage,
} from "./native/protocol.ts";
import type { Pump } from "./pump.ts";
import type { Ended } from "./waiters.ts";

interface Execution {
  readonly message: ExecuteMessage;
  context?: AttemptContext;
}

export interface ExecutorOptions {
  readonly pump: Pick<Pump, "send" | "ask">;
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly log: Logger;
  /** Runs of which this process remembers payload and outputs; the others are read again when needed. */
  readonly remembered: number;
  /** A run has ended. */
  readonly onFinished: (runId: string, ended: Ended) => void;
}

/** The attempts this process executes, and what it remembers of their runs. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #executions = new Map<string, Execution>();
  readonly #memories = new Map<string, RunMemory>();
  #onIdle: (() => void) | undefined;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /** Keeps what a run was started with, so that it need not be read again. */
  remember(memory: RunMemory): void {
    if (this.#memories.size < this.#options.remembered) this.#memories.set(memory.runId, memory);
  }

  handle(effect: EffectMessage): void {
    if (effect.execute !== undefined) this.#execute(effect.execute);
    else if (effect.finished !== undefined) this.#finished(effect.finished);
    else if (effect.waiting !== undefined) this.#memories.delete(effect.waiting.run);
    else if (effect.abort !== undefined) this.#abort(effect.abort);
  }

  /** Run and sequence of every attempt that was given out and is not yet answered. */
  *executing(): Iterable<readonly [string, number]> {
    for (const { message } of this.#executions.values()) yield [message.run, message.sequence];
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
    const execution: Execution = { message };
    this.#executions.set(key, execution);
    const memory = this.#memories.get(message.run);
    if (memory !== undefined) this.#call(execution, memory);
    else
      this.#read(message.run).then(
        (read) => this.#call(execution, read),
        (error) => this.#threw(execution, error),
      );
  }

  #call(execution: Execution, memory: RunMemory): void {
    const { message } = execution;
    // Aborted while its run was being read.
    if (this.#executions.get(keyOf(message)) !== execution) return;
    const definition = this.#options.definitions.get(memory.workflowId);
    const handler = definition === undefined ? undefined : handlerOf(definition, message);
    if (handler === undefined) {
      const what = message.step ?? message.handler;
      return this.#threw(
        execution,
        new NonRetryableError(`workflow \`${memory.workflowId}\` has no function for \`${what}\` in this process`),
      );
    }
    const context = new AttemptContext(
      memory,
      message.step ?? (message.handler as string),
      message.attempt,
      this.#options.log,
    );
    execution.context = context;
    try {
      const returned = handler(context);
      if (isThenable(returned)) {
        returned.then(
          (output) => this.#returned(execution, memory, output),
          (error) => this.#threw(execution, error, memory),
        );
      } else {
        this.#returned(execution, memory, returned);
      }
    } catch (error) {
      this.#threw(execution, error, memory);
    }
  }

  #returned(execution: Execution, memory: RunMemory, output: unknown): void {
    const { run, sequence, step, handler } = execution.message;
    const keeps = handler !== "on_success" && handler !== "on_failure" && this.#isStep(memory, step);
    let text: string | undefined;
    try {
      text = keeps ? encode(output, `output of step \`${step}\``) : undefined;
    } catch (error) {
      return this.#threw(execution, error, memory);
    }
    const command = `{"resolve":{"run":"${run}","sequence":${sequence}${text === undefined ? "" : `,"output":${text}`}}}`;
    this.#report(execution, command, memory, () => {
      if (keeps) {
        memory.outputs.set(step as string, text);
        memory.last = text;
      }
      if (step !== undefined) this.#stepHook("onSuccess", execution, memory);
    });
  }

  #threw(execution: Execution, thrown: unknown, memory?: RunMemory): void {
    const { run, sequence, step } = execution.message;
    const error = JSON.stringify(recordedError(thrown));
    const retryable = !(thrown instanceof NonRetryableError) && (thrown as Partial<CronflowError>)?.kind !== "invalid";
    const command = `{"resolve":{"run":"${run}","sequence":${sequence},"error":${error}${retryable ? "" : ',"retryable":false'}}}`;
    this.#report(execution, command, memory, (result) => {
      if (memory !== undefined) memory.error = error;
      const isFinal = (result as { retry_at_ms?: number } | null)?.retry_at_ms === undefined;
      if (step === undefined)
        this.#options.log.error(`the ${execution.message.handler} hook of run ${run} failed`, thrown);
      else if (isFinal && memory !== undefined) this.#stepHook("onFailure", execution, memory);
    });
  }

  /** Sends the end of an attempt. Until it is answered the attempt counts as executing. */
  #report(
    execution: Execution,
    command: string,
    memory: RunMemory | undefined,
    recorded: (result: ResultMessage) => void,
  ): void {
    const { message } = execution;
    const onResult = (result: ResultMessage, error: ErrorMessage | undefined): void => {
      this.#executions.delete(keyOf(message));
      if (error === undefined) recorded(result);
      else if (error.class === "invalid") this.#threw(execution, new NonRetryableError(error.message), memory);
      // A late result is refused, as promised; everything else is worth a line.
      else if (error.code !== "attempt_ended")
        this.#options.log.error(`the result of run ${message.run} was refused: ${error.message}`);
      if (message.step === undefined) this.#memories.delete(message.run);
      if (this.#executions.size === 0) this.#onIdle?.();
    };
    this.#options.pump.send(command, onResult, true);
  }

  #stepHook(name: "onSuccess" | "onFailure", { message, context }: Execution, memory: RunMemory): void {
    const hook = this.#options.definitions.get(memory.workflowId)?.options.hooks?.[name];
    if (hook === undefined || context === undefined || message.handler === "on_error") return;
    const failed = (error: unknown): void =>
      this.#options.log.error(`the ${name} hook of step \`${message.step}\` failed`, error);
    try {
      Promise.resolve(hook(context, message.step)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #finished({ run, status }: NonNullable<EffectMessage["finished"]>): void {
    const memory = this.#memories.get(run);
    const isKnown = memory !== undefined && status === "completed";
    this.#options.onFinished(run, isKnown ? { completed: { output: memory.last } } : {});
    // A hook still executes, and is given what is remembered.
    const hooks = memory && this.#options.definitions.get(memory.workflowId)?.options.hooks;
    if (hooks === undefined) this.#memories.delete(run);
  }

  #abort({ run, sequence, reason }: NonNullable<EffectMessage["abort"]>): void {
    const execution = this.#executions.get(`${run}/${sequence}`);
    if (execution === undefined) return;
    // The core has ended the attempt: nothing waits for the handler any longer, and what it returns is refused. The
    // error is the core's, so what is remembered of the run is read again.
    this.#executions.delete(`${run}/${sequence}`);
    this.#memories.delete(run);
    execution.context?.abort(new DOMException(ABORTED[reason], reason === "cancelled" ? "AbortError" : "TimeoutError"));
    if (this.#executions.size === 0) this.#onIdle?.();
  }

  #isStep(memory: RunMemory, name: string | undefined): boolean {
    return name !== undefined && this.#options.definitions.get(memory.workflowId)?.step(name)?.kind === "step";
  }

  /** Reads what another process, or this one before, has recorded of a run. */
  async #read(runId: string): Promise<RunMemory> {
    let record: RunRecordMessage | undefined;
    const outputs = new Map<string, string | undefined>();
    let last: string | undefined;
    let error: string | undefined;
    for (let after: number | undefined = 0; after !== undefined; after = record.next_after) {
      record = await this.#options.pump.ask<RunRecordMessage & ResultMessage>(
        `{"query":{"run":{"run":"${runId}","after":${after}}}}`,
      );
      for (const step of record.steps ?? []) {
        if (step.error !== undefined && step.status !== "interrupted") error = JSON.stringify(step.error);
        const isStep = this.#options.definitions.get(record.workflow)?.step(step.name)?.kind === "step";
        if (step.status !== "completed" || !isStep) continue;
        last = step.output === undefined ? undefined : JSON.stringify(step.output);
        outputs.set(step.name, last);
      }
    }
    const { workflow, payload, trigger, created_at_ms } = record as RunRecordMessage;
    if (record?.error !== undefined) error = JSON.stringify(record.error);
    const memory: RunMemory = {
      runId,
      workflowId: workflow,
      version: this.#options.definitions.get(workflow)?.options.version,
      createdAtMs: created_at_ms,
      payload: payload === undefined ? undefined : JSON.stringify(payload),
      trigger: trigger === undefined ? undefined : JSON.stringify(trigger),
      outputs,
      last,
      error,
    };
    this.remember(memory);
    return memory;
  }
}

const ABORTED = {
  step_timeout: "the step took longer than its timeout",
  run_timeout: "the run took longer than its workflow's timeout",
  cancelled: "the run was cancelled",
  ended: "the attempt has ended",
} as const;

function keyOf({ run, sequence }: ExecuteMessage): string {
  return `${run}/${sequence}`;
}

function handlerOf(definition: Definition, { step, handler = "body" }: ExecuteMessage): AnyHandler | undefined {
  switch (handler) {
    case "on_success":
      return definition.options.hooks?.onSuccess;
    case "on_failure":
      return definition.options.hooks?.onFailure;
    default: {
      const found = definition.step(step as string);
      return handler === "body" ? found?.handler : found?.onError;
    }
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** What is recorded of anything that can be thrown, cut to what may be recorded. */
export function recordedError(thrown: unknown): RecordedError {
  const cut = (text: unknown, length: number): string => String(text).toWellFormed().slice(0, length);
  const errorBytes = LIMITS.VALUE_BYTES >> 6;
  if (thrown instanceof Error) {
    const { name, message, stack } = thrown;
    const code = (thrown as { code?: unknown }).code;
    return {
      name: cut(name, 200),
      message: cut(message, errorBytes),
      ...(typeof code === "string" && { code: cut(code, 200) }),
      ...(stack !== undefined && { stack: cut(stack, errorBytes) }),
    };
  }
  const text = typeof thrown === "string" ? thrown : Bun.inspect(thrown, { depth: 2 });
  return { name: "NonError", message: cut(text, errorBytes) };
}
