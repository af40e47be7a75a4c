/** Drives an engine with a number of runs in flight. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow, type Workflow } from "cronflow-ffi";
import { percentile } from "./table.ts";

export type Durability = "full" | "relaxed";

export interface Measured {
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A directory that is gone afterwards. */
export async function inDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "cronflow-bench-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** An engine with one workflow of no-op steps. */
export async function openEngine(database: string, durability: Durability, steps: number, concurrency: number) {
  const engine = createCronflow({ database, durability, concurrency });
  let workflow = engine.define({ id: "bench" }) as unknown as Workflow<unknown, unknown, Record<never, never>, never>;
  for (let step = 1; step <= steps; step += 1) workflow = workflow.step(`step-${step}`, () => {}) as never;
  await engine.start({ handleSignals: false });
  return engine;
}

/** Executes runs, always as many in flight as asked for. */
export async function drive(
  engine: { execute(id: string): Promise<unknown> },
  runs: number,
  inFlight: number,
): Promise<Measured> {
  const latencies: number[] = [];
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < runs) {
      started += 1;
      const began = performance.now();
      await engine.execute("bench");
      latencies.push(performance.now() - began);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - began) / 1_000;
  latencies.sort((a, b) => a - b);
  return { seconds, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}
