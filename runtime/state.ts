/**
 * `ctx.state`: values are read through a mirror of the core's, changes are kept until the attempt ends and commit with
 * its result. `cronflow.state`, which all workflows share, changes in transactions of its own.
 */
import type { Clock } from "./clock.ts";
import type { State } from "./context.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { InvalidError } from "./errors.ts";
import { decode, encode } from "./json.ts";
import type { ChangedValueMessage } from "./native/protocol.ts";
import { shown } from "./shown.ts";

interface Held {
  /** JSON text; absent: there is no such value. */
  readonly text: string | undefined;
  readonly expiresAtMs: number | undefined;
}

/** Reads values the mirror does not hold, in the order of the keys; `null` for those that are not there. */
export type ReadState = (workflowId: string, keys: string[]) => ({ value: unknown; expires_at_ms?: number } | null)[];

/** Values that are mirrored at the most, of all workflows. */
const MIRRORED = 10_000;

/** What the core has of the state, as far as it was asked for. This process makes every change, so it knows of all. */
export class StateMirror {
  readonly #held = new Map<string, Held>();

  constructor(
    readonly read: ReadState,
    readonly clock: Clock,
  ) {}

  /** JSON text of a value, if there is one now. */
  get(workflowId: string, key: string): string | undefined {
    const place = `${workflowId}\n${key}`;
    let held = this.#held.get(place);
    if (held === undefined) {
      const [found] = this.read(workflowId, [key]);
      held =
        found === null || found === undefined
          ? { text: undefined, expiresAtMs: undefined }
          : { text: JSON.stringify(found.value), expiresAtMs: found.expires_at_ms };
      this.#hold(place, held);
    }
    return held.expiresAtMs !== undefined && held.expiresAtMs <= this.clock.now() ? undefined : held.text;
  }

  /** The core has committed these values. */
  changed(workflowId: string, values: readonly ChangedValueMessage[]): void {
    for (const change of values) {
      const [key, expiresAtMs, value] = change;
      const text = change.length === 1 ? undefined : JSON.stringify(value);
      this.#hold(`${workflowId}\n${key}`, { text, expiresAtMs: expiresAtMs ?? undefined });
    }
  }

  #hold(place: string, held: Held): void {
    this.#held.delete(place);
    this.#held.set(place, held);
    const oldest = this.#held.keys().next().value;
    if (this.#held.size > MIRRORED && oldest !== undefined) this.#held.delete(oldest);
  }
}

/** One attempt's view of its workflow's state. */
export class AttemptState implements State {
  readonly #mirror: StateMirror;
  readonly #workflowId: string;
  /** What this attempt has changed: text, or `undefined` for what it has deleted. Most attempts change nothing. */
  #own: Map<string, string | undefined> | undefined;
  #changes: string | undefined;

  constructor(mirror: StateMirror, workflowId: string) {
    this.#mirror = mirror;
    this.#workflowId = workflowId;
  }

  get<T>(key: string, standard?: T): T {
    const text = this.#text(key);
    return (text === undefined ? standard : decode(text)) as T;
  }

  set(key: string, value: unknown, options: { readonly ttl?: Duration } = {}): void {
    const text = encode(value, `value of \`${key}\` in the state`);
    if (text === undefined) return this.delete(key);
    this.#change(key, text, setMessage(key, text, options.ttl));
  }

  incr(key: string, by = 1): number {
    const before = this.get<unknown>(key, 0);
    if (typeof before !== "number") {
      throw new InvalidError("not_a_number", `\`${key}\` of the state is not a number, so nothing can be added to it.`);
    }
    this.#change(key, JSON.stringify(before + by), incrMessage(key, by));
    return before + by;
  }

  delete(key: string): void {
    this.#change(key, undefined, deleteMessage(key));
  }

  /** What the core is told with the result, if anything was changed. */
  get message(): string {
    return this.#changes === undefined ? "" : `,"state":[${this.#changes}]`;
  }

  #text(key: string): string | undefined {
    return this.#own?.has(key) === true ? this.#own.get(key) : this.#mirror.get(this.#workflowId, key);
  }

  #change(key: string, text: string | undefined, message: string): void {
    this.#own ??= new Map();
    this.#own.set(key, text);
    this.#changes = this.#changes === undefined ? message : `${this.#changes},${message}`;
  }
}

/** The state that all workflows share. Every change is a transaction of its own. */
export class SharedState {
  readonly #ask: (command: string) => Promise<unknown>;

  constructor(ask: (command: string) => Promise<unknown>) {
    this.#ask = ask;
  }

  /** A value, or `standard` if there is none. */
  async get<T = unknown>(key: string, standard?: T): Promise<T | undefined> {
    checkKey(key);
    const query = JSON.stringify({ workflow: "", keys: [key] });
    const { values } = (await this.#ask(`{"query":{"state":${query}}}`)) as { values: ({ value: T } | null)[] };
    const found = values[0];
    return found === null || found === undefined ? standard : found.value;
  }

  /** @param options `ttl`: how long the value is kept. Default: until it is deleted. */
  async set(key: string, value: unknown, options: { readonly ttl?: Duration } = {}): Promise<void> {
    const text = encode(value, `value of \`${key}\` in the state`);
    await this.#ask(`{"state":[${text === undefined ? deleteMessage(key) : setMessage(key, text, options.ttl)}]}`);
  }

  /** Adds `by` (default 1) to a number, which begins at 0, and gives the sum. */
  async incr(key: string, by = 1): Promise<number> {
    const { state } = (await this.#ask(`{"state":[${incrMessage(key, by)}]}`)) as { state: ChangedValueMessage[] };
    return state[0]?.[2] as number;
  }

  /** Removes a value. Nothing happens if there is none. */
  async delete(key: string): Promise<void> {
    await this.#ask(`{"state":[${deleteMessage(key)}]}`);
  }
}

function setMessage(key: string, text: string, ttl: Duration | undefined): string {
  const ttlField = ttl === undefined ? "" : `,"ttl_ms":${milliseconds(ttl)}`;
  return `{"set":{"key":${keyText(key)},"value":${text}${ttlField}}}`;
}

function incrMessage(key: string, by: number): string {
  if (!Number.isFinite(by)) throw new InvalidError("not_a_number", `${by} cannot be added to \`${key}\` of the state.`);
  return `{"incr":{"key":${keyText(key)},"by":${by}}}`;
}

function deleteMessage(key: string): string {
  return `{"delete":${keyText(key)}}`;
}

function keyText(key: string): string {
  checkKey(key);
  return encode(key, "key of a value in the state") as string;
}

/** What is no text would make a command of what is no JSON. */
function checkKey(key: unknown): void {
  if (typeof key === "string") return;
  throw new InvalidError("value_invalid", `the key of a value in the state is ${shown(key)}; give a text.`);
}
