/** What Linux tells about processes: their children, their memory, and the disk their files take. */
import { readdirSync, readFileSync } from "node:fs";

/** A process and all below it. */
export function family(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(name);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const add = (one: number): void => {
    found.push(one);
    for (const child of children.get(one) ?? []) add(child);
  };
  add(pid);
  return found;
}

/** Undefined when it has ended meanwhile. */
function parentOf(pid: string): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name of the program is in parentheses and may contain anything.
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Bytes of memory of processes; what several share is counted once (proportional set size). */
export function memory(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? "")?.[1] ?? 0);
  }
  return kilobytes * 1_024;
}

/** Bytes of disk of a directory, as allocated. */
export function disk(directory: string): number {
  const { stdout } = Bun.spawnSync(["du", "--summarize", "--block-size=1", directory]);
  return Number.parseInt(stdout.toString(), 10);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}
