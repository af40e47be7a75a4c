/**
 * Durable steps per second, run latency, and how close that is to the ceiling: the same rows written by a bare
 * SQLite loop in Rust at the same batch sizes (`bench/ceiling.rs`), measured right before and after.
 */
import { join } from "node:path";
import { type Durability, drive, inDirectory, openEngine } from "./lib/engine.ts";
import { progress, round, table } from "./lib/table.ts";

const CEILING = join(import.meta.dir, "..", "target", "release", "examples", "ceiling");
const STEP_BUDGET = Number(process.env["BENCH_STEPS"] ?? 200_000);

const rows: (string | number)[][] = [];
for (const durability of ["full", "relaxed"] as const) {
  for (const inFlight of [1, 10, 100, 1_000]) {
    for (const steps of [1, 3, 12, 100]) {
      progress(`${durability}, ${inFlight} in flight, ${steps} steps …`);
      rows.push(await measure(durability, inFlight, steps));
    }
  }
}
progress("");
console.log(
  table(
    [
      "durability",
      "in flight",
      "steps",
      "runs",
      "runs/s",
      "steps/s",
      "ceiling steps/s",
      "of ceiling",
      "p50 ms",
      "p99 ms",
    ],
    rows,
  ),
);

async function measure(durability: Durability, inFlight: number, steps: number): Promise<(string | number)[]> {
  // One in flight pays a commit per step: fewer steps say as much.
  const budget = inFlight === 1 ? STEP_BUDGET / 100 : inFlight === 10 ? STEP_BUDGET / 10 : STEP_BUDGET;
  const runs = Math.max(inFlight * 2, Math.floor(budget / steps));
  const before = ceiling(durability, runs, steps, inFlight);
  const measured = await inDirectory(async (directory) => {
    const engine = await openEngine(join(directory, "bench.db"), durability, steps, inFlight);
    await drive(engine, Math.min(runs, 200), Math.min(inFlight, 50)); // Warm: the first calls are compiled.
    const measured = await drive(engine, runs, inFlight);
    await engine.stop();
    return measured;
  });
  const after = ceiling(durability, runs, steps, inFlight);
  const best = (runs * steps) / ((before + after) / 2);
  const reached = (runs * steps) / measured.seconds;
  return [
    durability,
    inFlight,
    steps,
    runs,
    round(runs / measured.seconds),
    round(reached),
    round(best),
    (reached / best).toFixed(2),
    round(measured.p50Ms),
    round(measured.p99Ms),
  ];
}

/** Seconds the bare loop takes for the same rows. */
function ceiling(durability: Durability, runs: number, steps: number, inFlight: number): number {
  const directory = join(process.env["BENCH_DIRECTORY"] ?? "/tmp", `cronflow-ceiling-${process.pid}.db`);
  const result = Bun.spawnSync([CEILING, directory, durability, `${runs}`, `${steps}`, `${inFlight}`]);
  for (const suffix of ["", "-wal", "-shm"]) Bun.spawnSync(["rm", "-f", directory + suffix]);
  if (!result.success) throw new Error(`the ceiling program failed: ${result.stderr}`);
  return Number(result.stdout.toString().split(" ")[0]);
}
