/**
 * `bun --hot` evaluates a program again in the same process: the engines that it had started before go on, with the old
 * functions, and own the database. Those of earlier evaluations are stopped before a new one starts.
 */
interface Engine {
  stop(options: { timeout: number }): Promise<void>;
}

interface Evaluations {
  /** How often this module was evaluated in this process. */
  latest: number;
  /** Engines that are started, with the evaluation they belong to. */
  readonly started: Map<Engine, number>;
}

const isHot = process.execArgv.includes("--hot");
const KEY = Symbol.for("cronflow-ffi.evaluations");
const shared = globalThis as { [KEY]?: Evaluations };
shared[KEY] ??= { latest: 0, started: new Map() };
const evaluations: Evaluations = shared[KEY];
evaluations.latest += 1;
const evaluation = evaluations.latest;

/** How long handlers of the old program may finish; what is left goes to the new one. */
const PATIENCE_MS = 1_000;

/** Stops the engines of earlier evaluations. */
export async function stopEarlier(): Promise<void> {
  if (!isHot) return;
  const earlier = [...evaluations.started].filter(([, of]) => of < evaluation);
  await Promise.all(earlier.map(([engine]) => engine.stop({ timeout: PATIENCE_MS })));
}

/** An engine has started; gives what is to be called when it has stopped. */
export function hasStarted(engine: Engine): () => void {
  evaluations.started.set(engine, evaluation);
  return () => evaluations.started.delete(engine);
}
