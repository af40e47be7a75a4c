/** What this process remembers of the runs it executes. What it has forgotten, or never knew, it reads again. */

import type { Definitions } from "./definitions.ts";
import { bodyKey } from "./handlers.ts";
import type { RunMemory } from "./memory.ts";
import type { EffectMessage, ExecuteMessage, NodeKind, ResultMessage, RunRecordMessage } from "./native/protocol.ts";
import type { Pump } from "./pump.ts";
import { nodeKey } from "./scope.ts";

/** A run that waits is forgotten, unless reading it again takes long. */
const LONG_HISTORY = 64;
/** Waiting runs that are remembered because of their long history. */
const WAITING_REMEMBERED = 64;

/** Functions whose value may be their node's output. */
const IS_OUTPUT: ReadonlySet<string> = new Set(["body", "on_error", "on_timeout"]);
/** Nodes that have no output: `ctx.last` passes through. */
const PASSES: ReadonlySet<NodeKind> = new Set<NodeKind>(["action", "sleep", "sleep_until", "cancel"]);

/** Whether what a function of a node gave is the node's output, as the core sees it (`native/src/graph.rs`). */
export function isOutput(kind: NodeKind, handler: string): boolean {
  if (kind === "if") return handler === "on_error";
  return IS_OUTPUT.has(handler) && !PASSES.has(kind);
}

export class Memories {
  readonly #active = new Map<string, RunMemory>();
  readonly #waiting = new Map<string, RunMemory>();
  readonly #reading = new Map<string, Promise<RunMemory>>();

  constructor(
    readonly definitions: Definitions,
    readonly pump: Pick<Pump, "ask">,
    /** Runs that are remembered at the most. */
    readonly most: number,
  ) {}

  /** Keeps what a run was started with, so that it need not be read again. */
  remember(memory: RunMemory): void {
    if (this.#active.size < this.most) this.#active.set(memory.runId, memory);
  }

  get(runId: string): RunMemory | undefined {
    return this.#active.get(runId);
  }

  /** What an attempt needs: at once if it is remembered. */
  of(message: ExecuteMessage): RunMemory | Promise<RunMemory> {
    const waiting = this.#waiting.get(message.run);
    if (waiting !== undefined) {
      this.#waiting.delete(message.run);
      this.#active.set(message.run, waiting);
    }
    const memory = this.#active.get(message.run);
    return memory !== undefined && suffices(memory, message) ? memory : this.#readFor(message);
  }

  /** The engine has recorded an output that no handler gave. */
  recorded({ run, step, scope, output }: NonNullable<EffectMessage["recorded"]>): void {
    const outputs = (this.#active.get(run) ?? this.#waiting.get(run))?.outputs;
    if (outputs === undefined) return;
    const key = nodeKey(step, scope);
    outputs.set(key, output === undefined ? undefined : JSON.stringify(output));
    outputs.delete(`${key}:items`);
  }

  /** An iteration is over: nobody sees what is inside it any more. */
  left({ run, step, scope }: NonNullable<EffectMessage["left"]>): void {
    const memory = this.#active.get(run) ?? this.#waiting.get(run);
    if (memory === undefined) return;
    memory.bodies.delete(bodyKey(step, scope));
    for (const name of memory.definition?.loop(step)?.names ?? []) memory.outputs.delete(nodeKey(name, scope));
  }

  waits(runId: string): void {
    const memory = this.#active.get(runId);
    this.#active.delete(runId);
    if (memory === undefined || memory.outputs.size < LONG_HISTORY) return;
    this.#waiting.set(runId, memory);
    const oldest = this.#waiting.keys().next().value;
    if (this.#waiting.size > WAITING_REMEMBERED && oldest !== undefined) this.#waiting.delete(oldest);
  }

  forget(runId: string): void {
    this.#active.delete(runId);
    this.#waiting.delete(runId);
  }

  /** The core tells what is recorded of a run that goes on. */
  learn(record: RunRecordMessage): void {
    const memory = this.#newMemory(record);
    this.#add(memory, record);
    this.#merge(memory);
  }

  async #readFor(message: ExecuteMessage): Promise<RunMemory> {
    const { run } = message;
    const joined = this.#reading.get(run);
    if (joined !== undefined) {
      // It began before this attempt's step was reached, and may not have all that the attempt sees.
      const memory = await joined;
      if (suffices(memory, message)) return memory;
    }
    const reading = this.#read(run).finally(() => this.#reading.delete(run));
    this.#reading.set(run, reading);
    return reading;
  }

  /** Reads what another process, or this one before, has recorded of a run. */
  async #read(runId: string): Promise<RunMemory> {
    let memory: RunMemory | undefined;
    for (let after: number | undefined = 0; after !== undefined; ) {
      const record: RunRecordMessage = await this.pump.ask<RunRecordMessage & ResultMessage>(
        `{"query":{"run":{"run":"${runId}","after":${after}}}}`,
        // The attempt has not begun: that storage fails now is no failure of it.
        true,
      );
      memory ??= this.#newMemory(record);
      this.#add(memory, record);
      after = record.next_after;
    }
    return this.#merge(memory as RunMemory);
  }

  #newMemory({ run, workflow, version, payload, trigger, created_at_ms }: RunRecordMessage): RunMemory {
    return {
      runId: run,
      workflowId: workflow,
      version,
      definition: this.definitions.of(workflow, version),
      createdAtMs: created_at_ms,
      payload: payload === undefined ? undefined : JSON.stringify(payload),
      trigger: trigger === undefined ? undefined : JSON.stringify(trigger),
      outputs: new Map(),
      bodies: new Map(),
    };
  }

  /** Adds the outputs of a page of a run's history. */
  #add({ outputs, definition }: RunMemory, record: RunRecordMessage): void {
    for (const { name, scope, handler, status, output } of record.steps ?? []) {
      const kind = definition?.node(name)?.kind;
      if (status !== "completed" || kind === undefined) continue;
      const text = output === undefined ? undefined : JSON.stringify(output);
      if (handler === "items") outputs.set(`${nodeKey(name, scope)}:items`, text);
      else if (isOutput(kind, handler)) outputs.set(nodeKey(name, scope), text);
    }
  }

  /** Attempts that execute hold the run's memory: there is one, and an output under a key never changes. */
  #merge(read: RunMemory): RunMemory {
    const held = this.#active.get(read.runId);
    if (held === undefined) {
      this.#waiting.delete(read.runId);
      this.remember(read);
      return read;
    }
    for (const [key, text] of read.outputs) if (!held.outputs.has(key)) held.outputs.set(key, text);
    return held;
  }
}

/** Whether all that the attempt sees is remembered, as far as can be told. */
function suffices(memory: RunMemory, { last }: ExecuteMessage): boolean {
  return last === undefined || memory.outputs.has(last);
}
