/** The rounds: which doors take part in what, and how often. */
import { join } from "node:path";
import { buffers, plain, strings, uncopied } from "./addon.ts";
import type { Door } from "./door.ts";
import { alternate, type Samples } from "./measure.ts";
import { lifeRound, noops, objectEchoes, textEchoes } from "./work.ts";

const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 31);
/** Of what waits for the disk. */
export const DISK_ROUNDS = Math.max(3, ROUNDS >> 1);
const IN_MEMORY_CALLS = 500;
const ON_DISK_CALLS = 40;

export interface Measured {
  readonly noop: Samples;
  readonly text: Samples;
  readonly object: Samples;
  readonly memory: Samples;
  readonly disk: Samples;
}

/** Measures the N-API doors, and with them those that are given. */
export async function measureDoors(
  others: readonly Door[],
  directory: string,
  progress: (text: string) => void,
): Promise<Measured> {
  const doors = [...others, plain, strings];
  let databases = 0;
  const database = (): string => join(directory, `life-${process.pid}-${databases++}.db`);
  progress("no-ops …");
  const noop = await alternate(doors, ROUNDS, noops);
  progress("echoes of text …");
  const text = await alternate([...doors, buffers, uncopied], ROUNDS, textEchoes);
  progress("echoes of objects …");
  const object = await alternate(doors, ROUNDS, objectEchoes);
  progress("runs in memory …");
  const memory = await alternate(doors, ROUNDS, (door) => lifeRound(door, ":memory:", IN_MEMORY_CALLS));
  progress("runs on disk …");
  const disk = await alternate(doors, DISK_ROUNDS, (door) => lifeRound(door, database(), ON_DISK_CALLS));
  return { noop, text, object, memory, disk };
}
