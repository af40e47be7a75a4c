/** Whether the process keeps something of the requests it has answered. */
import { heapStats } from "bun:jsc";

export interface Memory {
  readonly residentBytes: number;
  /** Objects of JavaScript that are in use. */
  readonly objects: number;
}

/** What is in use once all garbage is gone. Pages that were freed are given back in a turn of their own. */
export async function memoryInUse(): Promise<Memory> {
  for (let turn = 0; turn < 3; turn += 1) {
    Bun.gc(true);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { residentBytes: process.memoryUsage.rss(), objects: heapStats().objectCount };
}

/** Half of the requests start runs, four of ten manage: what either kept would be an object for one in four. */
const OBJECTS_PER_REQUEST = 1 / 4;
/** Less than an entry of a map with a run's id: whoever keeps less keeps nothing of most requests. */
const BYTES_PER_REQUEST = 64;
/**
 * How much the heaps of both sides may have grown for good because of what was under way at one time: 16 of the largest
 * bodies, each as bytes, as text, as a value, and as it is recorded.
 */
const BYTES_UNDER_WAY = 16 * 4 * (1 << 20);

export interface Growth {
  readonly shown: string;
  /** What is too much, if anything is. */
  readonly fault: string | undefined;
}

/** How much more is in use than before, `requests` ago. */
export function growth([before, after]: readonly [Memory, Memory], requests: number): Growth {
  const objects = after.objects - before.objects;
  const bytes = after.residentBytes - before.residentBytes;
  const mebibytes = (amount: number): string => (amount / (1 << 20)).toFixed(1);
  const shown =
    `resident memory ${mebibytes(before.residentBytes)} MiB after a third, ${mebibytes(after.residentBytes)} MiB at the end; ` +
    `${before.objects.toLocaleString("en")} objects, then ${after.objects.toLocaleString("en")}`;
  const isTooMuch = objects > requests * OBJECTS_PER_REQUEST || bytes > BYTES_UNDER_WAY + requests * BYTES_PER_REQUEST;
  return {
    shown,
    fault: isTooMuch ? `${requests.toLocaleString("en")} requests left something behind: ${shown}` : undefined,
  };
}
