/** What is done at a door: the same by whichever it goes, under Bun and under Node. */
import type { Door } from "./door.ts";
import { nanoseconds, type Sample } from "./measure.ts";

export const SIZES = [100, 1_000, 10_000, 100_000, 1_000_000];

const NOOPS = 500_000;
/** Bytes that go in and out of an echo in a round. */
const ECHOED = 4_000_000;
const FEWEST_ECHOES = 8;

/** JSON of about so many bytes: numbers, strings, booleans. */
export function jsonValue(bytes: number): unknown {
  const items = Math.max(1, Math.floor(bytes / 50));
  return { items: Array.from({ length: items }, (_, id) => ({ id, name: "a value of some length", ok: true })) };
}

const VALUES = SIZES.map((size) => ({ size, value: jsonValue(size), text: JSON.stringify(jsonValue(size)) }));
/** The bytes that are really sent for each size. */
export const BYTES = VALUES.map(({ text }) => text.length);

export function noops(door: Door): Sample {
  return { "no-op": nanoseconds(NOOPS, () => door.noops(NOOPS)) };
}

/** The door alone, with a text of each size. */
export function textEchoes(door: Pick<Door, "echoes">): Sample {
  const sample: Sample = {};
  for (const { size, text } of VALUES) {
    const calls = Math.max(FEWEST_ECHOES, Math.floor(ECHOED / (size + 300)));
    sample[`${size}`] = nanoseconds(calls, () => door.echoes(text, calls));
  }
  return sample;
}

/** The same, and JSON on both sides of it. */
export function objectEchoes(door: Door): Sample {
  const sample: Sample = {};
  for (const { size, value } of VALUES) {
    const calls = Math.max(FEWEST_ECHOES, Math.floor(ECHOED / 10 / (size + 300)));
    sample[`${size}`] = nanoseconds(calls, () => {
      for (let call = 0; call < calls; call += 1) JSON.parse(door.echoes(JSON.stringify(value), 1));
    });
  }
  return sample;
}

/** What an engine answers, as far as it is read here. */
interface Answer {
  readonly error?: unknown;
  readonly requests?: readonly { readonly error?: unknown; readonly results?: readonly Result[] }[];
  readonly effects?: readonly Effect[];
}
type Result = { readonly refused?: unknown; readonly run?: string } | null;
interface Effect {
  readonly execute?: { readonly run: string; readonly fence: number };
  readonly finished?: { readonly run: string };
}

/** One engine behind a door, which works on the calling thread. */
export class Engine {
  readonly #door: Door;
  readonly #core: number;
  readonly #now = Date.now();

  constructor(door: Door, database: string, durability: "full" | "relaxed", capacity: number) {
    this.#door = door;
    this.#core = door.open(JSON.stringify({ database, durability, inline: true }));
    read(door.call(this.#core, `{"now_ms":${this.#now},"capacity":${capacity},"commands":[]}`));
  }

  /** Commands of one transaction; gives what each has answered. */
  ask(commands: readonly string[]): readonly Result[] {
    return read(this.#door.call(this.#core, this.#request(commands))).requests?.[0]?.results ?? [];
  }

  submit(command: string): void {
    const code = this.#door.submit(this.#core, this.#request([command]));
    if (code !== 0) throw new Error(`the core refused a request with code ${code}`);
  }

  /** What the commits have caused that nobody has taken yet. */
  effects(): Effect[] {
    const effects: Effect[] = [];
    for (let text = this.#door.take(this.#core); text !== ""; text = this.#door.take(this.#core)) {
      effects.push(...(read(text).effects ?? []));
    }
    return effects;
  }

  close(): void {
    this.#door.close(this.#core);
  }

  #request(commands: readonly string[]): string {
    return `{"now_ms":${this.#now},"commands":[${commands.join(",")}]}`;
  }
}

/** Parses an answer; what was refused is an error of the measurement. */
function read(text: string): Answer {
  const answer = JSON.parse(text) as Answer;
  const results = answer.requests?.flatMap(({ results }) => results ?? []) ?? [];
  const failed = [answer, ...(answer.requests ?? [])].find(({ error }) => error !== undefined);
  if (failed !== undefined || results.some((result) => result?.refused !== undefined)) throw new Error(text);
  return answer;
}

export const define = (id: string, steps: number): string =>
  JSON.stringify({
    define: { id, nodes: Array.from({ length: steps }, (_, n) => ({ kind: "step", name: `step${n}` })) },
  });
export const start = (workflow: string): string => JSON.stringify({ start: { workflow, payload: { order: 4711 } } });
export const status = (run: string): string => JSON.stringify({ query: { run: { run } } });
export const resolve = ({ run, fence }: { run: string; fence: number }): string =>
  JSON.stringify({ resolve: { run, fence, output: { done: true } } });

/** A new engine: workflows of three steps are defined, runs started, asked for and brought one step on; then runs of 12. */
export function lifeRound(door: Door, database: string, calls: number): Sample {
  // The runs of three steps stay open and keep their places; one more is for those of twelve.
  const engine = new Engine(door, database, "full", calls + 1);
  const each = (commands: readonly string[], answers: Result[] = []): number =>
    nanoseconds(commands.length, () => {
      for (const command of commands) answers.push(...engine.ask([command]));
    });
  const numbers = Array.from({ length: calls }, (_, number) => number);
  try {
    const defined = each(numbers.map((number) => define(`workflow-${number}`, 3)));
    const started: Result[] = [];
    const begun = each(
      numbers.map((number) => start(`workflow-${number}`)),
      started,
    );
    const asked = each(started.map((result) => status(result?.run ?? "")));
    const due = engine.effects().flatMap(({ execute }) => execute ?? []);
    if (due.length !== calls) throw new Error(`${due.length} of ${calls} steps are to be executed`);
    const resolved = each(due.map(resolve));
    engine.effects();
    engine.ask([define("twelve", 12)]);
    const runs = Math.max(2, calls / 20);
    const ran = nanoseconds(runs, () => {
      for (let run = 0; run < runs; run += 1) runOne(engine);
    });
    return { define: defined, start: begun, status: asked, "step resolve": resolved, "run of 12 steps": ran };
  } finally {
    engine.close();
  }
}

/** One run from its start to its end, by `submit` and `take` as the runtime does it. */
function runOne(engine: Engine): void {
  engine.submit(start("twelve"));
  for (let finished = false; !finished; ) {
    const effects = engine.effects();
    if (effects.length === 0) throw new Error("a run stands still");
    for (const effect of effects) {
      if (effect.execute !== undefined) engine.submit(resolve(effect.execute));
      finished ||= effect.finished !== undefined;
    }
  }
}
