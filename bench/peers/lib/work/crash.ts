/** Runs whose process is killed in the middle. */
import { appendFileSync, readFileSync } from "node:fs";
import type { Engine } from "../engine.ts";
import type { Answers, Commands } from "../protocol.ts";
import { pause, within } from "../time.ts";

/** Steps of a run. */
export const STEPS = 3;

/** How often an engine is asked what has become of a run. */
const LOOK_EVERY_MS = 100;

/** Steps that take 50 to 250 ms, and whose effect on the world is a line in a file. */
export class SlowSteps {
  #executed = 0;
  #wanted = Number.POSITIVE_INFINITY;
  readonly #reached = Promise.withResolvers<void>();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async take(run: number, step: number): Promise<void> {
    await pause(50 + ((run * 37 + step * 101) % 200));
    appendFileSync(this.#file, `${run} ${step}\n`);
    this.#executed += 1;
    if (this.#executed >= this.#wanted) this.#reached.resolve();
  }

  /** When so many have been executed, or the time is over; how many there were. */
  async executed(wanted: number, milliseconds: number): Promise<number> {
    this.#wanted = wanted;
    await within(milliseconds, this.#reached.promise);
    return this.#executed;
  }
}

/**
 * Starts runs, and when half of their steps have been executed some more; answers as soon as these are acknowledged: time
 * to be killed. Each run is noted in a file when it is acknowledged.
 */
export async function crash(engine: Engine, steps: SlowSteps, options: Commands["crash"]): Promise<Answers["crash"]> {
  const { runs, late, acknowledgements, milliseconds } = options;
  const start = async (run: number): Promise<void> => {
    const id = await engine.start(run);
    appendFileSync(acknowledgements, `${run} ${id}\n`);
  };
  const numbers = Array.from({ length: runs + late }, (_, run) => run);
  const begun = Promise.all(numbers.slice(0, runs).map(start));
  const executed = await steps.executed((runs * STEPS) / 2, milliseconds);
  await within(milliseconds, Promise.all([begun, ...numbers.slice(runs).map(start)]));
  return { executed };
}

/** Lets the engine recover, and looks until nothing is open any more. */
export async function outcome(engine: Engine, options: Commands["outcome"]): Promise<Answers["outcome"]> {
  const until = performance.now() + options.milliseconds;
  const found = { ended: [] as string[], failed: [] as string[], unknown: [] as string[] };
  let open = [...options.ids];
  // Recovery may last as long as the runs do.
  const recovery = engine.recover?.().then(
    () => undefined,
    (error: unknown) => error ?? new Error("recovery failed"),
  );
  while (open.length > 0 && performance.now() < until) {
    const still: string[] = [];
    for (const id of open) {
      const state = await engine.state(id);
      (state === "open" ? still : found[state]).push(id);
    }
    open = still;
    if (open.length > 0) await pause(LOOK_EVERY_MS);
  }
  if (recovery !== undefined && (await within(1_000, recovery))) {
    const error = await recovery;
    if (error !== undefined) throw error;
  }
  return { ...found, open };
}

/** The lines of a file of pairs. */
export function pairs(file: string): [string, string][] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.includes(" "))
    .map((line) => line.split(" ", 2) as [string, string]);
}
