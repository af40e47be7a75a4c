/**
 * Whether what is stored makes new runs slower, and whether what has ended stays in memory.
 * `BENCH_STORED` runs are stored first (default one million).
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { drive, inDirectory, openEngine } from "./lib/engine.ts";
import { progress, round, table } from "./lib/table.ts";

const STORED = Number(process.env["BENCH_STORED"] ?? 1_000_000);
const STEPS = 3;
const SAMPLE = 20_000;
const IN_FLIGHT = 1_000;

await inDirectory(async (directory) => {
  const few = join(directory, "few.db");
  const many = join(directory, "many.db");
  progress(`storing ${STORED} runs …`);
  for (const [file, runs] of [
    [few, 1_000],
    [many, STORED],
  ] as const) {
    const engine = await openEngine(file, "full", STEPS, IN_FLIGHT);
    await engine.execute("bench");
    await engine.stop();
    store(file, runs);
  }
  const samples: { stored: number; microseconds: number }[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (const [file, stored] of [
      [few, 1_000],
      [many, STORED],
    ] as const) {
      progress(`round ${round + 1}, ${stored} runs stored …`);
      const engine = await openEngine(file, "full", STEPS, IN_FLIGHT);
      await drive(engine, 2_000, IN_FLIGHT);
      const { seconds } = await drive(engine, SAMPLE, IN_FLIGHT);
      await engine.stop();
      samples.push({ stored, microseconds: (seconds * 1e6) / SAMPLE });
    }
  }
  progress("");
  const middle = (stored: number): number =>
    samples
      .filter((sample) => sample.stored === stored)
      .map((sample) => sample.microseconds)
      .sort((a, b) => a - b)[1] as number;
  console.log(
    table(
      ["runs stored before", "µs per run of 3 steps (median of 3)", "ratio"],
      [
        [1_000, round(middle(1_000)), "1.00"],
        [STORED, round(middle(STORED)), (middle(STORED) / middle(1_000)).toFixed(2)],
      ],
    ),
  );
});

await inDirectory(async (directory) => {
  const engine = await openEngine(join(directory, "memory.db"), "full", STEPS, IN_FLIGHT);
  await drive(engine, 10_000, IN_FLIGHT);
  const rows: (string | number)[][] = [];
  const resident = (): number => {
    Bun.gc(true);
    return process.memoryUsage.rss() / 2 ** 20;
  };
  let before = resident();
  for (let wave = 1; wave <= 4; wave += 1) {
    await drive(engine, 10_000, IN_FLIGHT);
    const after = resident();
    rows.push([wave * 10_000, round(after), round(after - before)]);
    before = after;
  }
  await engine.stop();
  console.log(`\n${table(["runs ended", "resident MB", "growth MB"], rows)}`);
});

/** Copies the one run and its steps, in the order the engine would have written them. */
function store(file: string, runs: number): void {
  const database = new Database(file, { safeIntegers: true });
  const { id } = database.query<{ id: bigint }, []>("SELECT id FROM workflow_runs").get() as { id: bigint };
  database.run("PRAGMA synchronous = OFF");
  const columns =
    "definition_id, workflow_id, status, open, payload, trigger, output, error, created_at_ms, finished_at_ms";
  const run = database.query(
    `INSERT INTO workflow_runs (id, ${columns}) SELECT ?1, ${columns} FROM workflow_runs WHERE id = ?2`,
  );
  const step = database.query(
    `INSERT INTO steps SELECT ?1, sequence, name, handler, attempt, status, output, error, retry_at_ms, started_at_ms,
            finished_at_ms FROM steps WHERE run_id = ?2`,
  );
  const insert = database.transaction((first: number, last: number) => {
    for (let each = first; each < last; each += 1) {
      const copy = id - BigInt(runs - each) * 100n;
      run.run(copy, id);
      step.run(copy, id);
    }
  });
  for (let first = 1; first < runs; first += 50_000) insert(first, Math.min(first + 50_000, runs));
  database.run("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}
