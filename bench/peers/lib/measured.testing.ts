/** Figures for tests of what is made of them. */
import type { Measured } from "./measure.ts";

export interface Example {
  readonly title?: string;
  /** Runs per second, for each number in flight. */
  readonly rates: readonly number[];
  readonly survivesPowerCut?: boolean;
}

export function measuredOf({ title = "engine", rates, survivesPowerCut = true }: Example): Measured {
  return {
    peer: { name: "engine", title, packages: [], settings: [], notes: "as it comes" },
    setting: { name: "default", title: "default", survivesKill: true, survivesPowerCut, because: "It says so" },
    runs: rates.map((runs) => ({ value: { runs, seconds: 1, p50Ms: 1, p99Ms: 2, unfinished: 0 } })),
    syncs: [{ value: 4 }, { value: 0.5 }],
    webhook: { value: { perSecond: 100, p50Ms: 3 } },
    sleepers: { value: { acknowledged: 10, asleep: 10, seconds: 1, memoryBytes: 10_240, diskBytes: 20_480 } },
    crash: { value: { acknowledged: 250, lost: 0, failed: 0, open: 0, incomplete: 0, twice: 1, seconds: 2 } },
  };
}
