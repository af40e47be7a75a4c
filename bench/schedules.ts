/**
 * 100,000 schedules: how long a process takes to start with them, what they cost in memory, and how late 1,000 runs
 * begin that are due in one second. `BENCH_SCHEDULES` sets another number.
 */
import { join } from "node:path";
import { type Cronflow, createCronflow } from "cronflow-ffi";
import { inDirectory } from "./lib/engine.ts";
import { percentile, progress, round, table } from "./lib/table.ts";

const SCHEDULES = Number(process.env["BENCH_SCHEDULES"] ?? 100_000);
const PER_WORKFLOW = 100;
const DUE = 1_000;
const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
/** Long enough for the engine to start before they are due. */
const AHEAD_MS = 20_000;

await inDirectory(async (directory) => {
  const database = join(directory, "schedules.db");
  const rows: (string | number)[][] = [];
  for (const start of ["first", "second"]) {
    progress(`${start} start with ${SCHEDULES} schedules …`);
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const began = performance.now();
    const engine = createCronflow({ database });
    defineMany(engine);
    const defined = performance.now();
    await engine.start();
    const started = performance.now();
    Bun.gc(true);
    const mb = (process.memoryUsage.rss() - before) / (1 << 20);
    rows.push([`${start} start`, round(defined - began), round(started - defined), round(mb)]);
    await engine.stop();
  }
  progress("waiting for the second in which 1,000 are due …");
  const late = await lateness(database);
  progress("");
  console.log(table([`${SCHEDULES} schedules`, "ms to define", "ms to start", "MB more"], rows));
  console.log();
  console.log(
    table(
      ["due in one second", "beside", "late p50 ms", "late p99 ms", "latest ms", "early"],
      [
        [
          DUE,
          SCHEDULES,
          round(percentile(late, 0.5)),
          round(percentile(late, 0.99)),
          round(late.at(-1) as number),
          late.filter((ms) => ms < 0).length,
        ],
      ],
    ),
  );
});

/** Once a day, at different times, in several zones. */
function defineMany(engine: Cronflow): void {
  const far = new Date(Date.now() + 12 * 3_600_000).getUTCHours();
  for (let first = 0; first < SCHEDULES; first += PER_WORKFLOW) {
    const workflow = engine.define({ id: `workflow-${first / PER_WORKFLOW}` });
    for (let number = first; number < first + PER_WORKFLOW; number += 1) {
      const zone = ZONES[number % ZONES.length] as string;
      workflow.onSchedule(`${number % 60} ${(far + (number % 2)) % 24} * * *`, { name: `n${number}`, timezone: zone });
    }
    workflow.step("work", () => 1);
  }
}

/** Milliseconds from the instant to the handler, in order. */
async function lateness(database: string): Promise<number[]> {
  const late: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const engine = createCronflow({ database });
  defineMany(engine);
  const due = new Date(Math.ceil((Date.now() + AHEAD_MS) / 1_000) * 1_000);
  const cron = `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} * * *`;
  const workflow = engine.define({ id: "due" });
  for (let number = 0; number < DUE; number += 1) workflow.onSchedule(cron, { name: `due-${number}` });
  workflow.step("work", (ctx) => {
    late.push(Date.now() - Date.parse(ctx.trigger.scheduledAt as string));
    if (late.length === DUE) resolve();
  });
  await engine.start();
  if (Date.now() > due.getTime()) throw new Error("the engine started too late for this measurement");
  await promise;
  await engine.stop();
  return late.sort((a, b) => a - b);
}
