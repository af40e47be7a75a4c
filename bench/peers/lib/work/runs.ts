/** Runs of three no-op steps. */
import { percentile } from "../../../lib/table.ts";
import type { Engine } from "../engine.ts";
import type { Answers, Commands } from "../protocol.ts";
import { within } from "../time.ts";

/** How long the runs in flight get to end when no more are started. */
const PATIENCE_MS = 30_000;

/** Always as many in flight as asked for, until the time is over; then waits for those in flight. */
export async function drive(engine: Engine, options: Commands["runs"]): Promise<Answers["runs"]> {
  const { inFlight, milliseconds, most = Number.POSITIVE_INFINITY } = options;
  const latencies: number[] = [];
  let started = 0;
  const began = performance.now();
  const lane = async (): Promise<void> => {
    while (started < most && performance.now() - began < milliseconds) {
      started += 1;
      const start = performance.now();
      await engine.execute(started);
      latencies.push(performance.now() - start);
    }
  };
  const lanes = Promise.all(Array.from({ length: Math.min(inFlight, most) }, lane));
  await within(milliseconds + PATIENCE_MS, lanes);
  const seconds = (performance.now() - began) / 1_000;
  const runs = latencies.length;
  latencies.sort((a, b) => a - b);
  return {
    runs,
    seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    unfinished: started - runs,
  };
}
