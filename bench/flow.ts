/**
 * What the nodes of the flow language cost, whether loops stay linear and small, and what it costs to sleep.
 * Durability is full: everything that is counted is on disk.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { type Cronflow, createCronflow } from "cronflow-ffi";
import { drive, inDirectory } from "./lib/engine.ts";
import { percentile, progress, round, table } from "./lib/table.ts";

const IN_FLIGHT = 256;
const RUNS = Number(process.env["BENCH_RUNS"] ?? 4_000);
const SLEEPERS = Number(process.env["BENCH_SLEEPERS"] ?? 100_000);
const DUE_AT_ONCE = Math.min(10_000, SLEEPERS);

await nodes();
await loops();
await sleepers();
progress("");

/** Runs of one node each, side by side with runs of one step. */
async function nodes(): Promise<void> {
  const kinds: [name: string, define: (engine: Cronflow) => unknown][] = [
    ["step", (engine) => engine.define({ id: "bench" }).step("s", () => 1)],
    [
      "if",
      (engine) =>
        engine
          .define({ id: "bench" })
          .if("i", () => true)
          .step("s", () => 1)
          .endIf(),
    ],
    ["parallel of 2", (engine) => engine.define({ id: "bench" }).parallel([() => 1, () => 2])],
    ["race of 2", (engine) => engine.define({ id: "bench" }).race([() => 1, () => 2])],
    [
      "while, 3 times",
      (engine) =>
        engine.define({ id: "bench" }).while<number>(
          "w",
          (ctx) => (ctx.last ?? 0) < 3,
          (ctx) => (ctx.last ?? 0) + 1,
        ),
    ],
    [
      "forEach, 3 items",
      (engine) => engine.define({ id: "bench" }).forEach("f", [1, 2, 3], (_item, flow) => flow.step("s", () => 1)),
    ],
    ["sleep 1 ms", (engine) => engine.define({ id: "bench" }).sleep(1)],
    [
      "subflow of 1 step",
      (engine) => {
        engine.define({ id: "child" }).step("s", () => 1);
        return engine.define({ id: "bench" }).subflow("c", "child");
      },
    ],
    ["step with state", (engine) => engine.define({ id: "bench" }).step("s", (ctx) => ctx.state.incr("n"))],
    [
      "approval",
      (engine) =>
        engine
          .define({ id: "bench" })
          .humanInTheLoop({ description: "?", onPause: (_ctx, token) => engine.resume(token) }),
    ],
    [
      "event",
      (engine) =>
        engine
          .define({ id: "bench" })
          .parallel([(flow) => flow.waitForEvent("e"), (flow) => flow.action("p", () => engine.emit("e"))]),
    ],
  ];
  const rows: (string | number)[][] = [];
  let step = 0;
  for (const [name, define] of kinds) {
    progress(`${name} …`);
    const seconds = await inDirectory(async (directory) => {
      const engine = createCronflow({ database: join(directory, "bench.db"), concurrency: IN_FLIGHT });
      define(engine);
      await engine.start({ handleSignals: false });
      await drive(engine, 500, 50);
      const runs = name === "event" ? RUNS / 8 : RUNS;
      const measured = await drive(engine, runs, name === "event" ? 32 : IN_FLIGHT);
      await engine.stop();
      return measured.seconds / runs;
    });
    if (step === 0) step = seconds;
    rows.push([name, round(1 / seconds), round(seconds * 1e6), `${round(seconds / step)} ×`]);
  }
  progress("");
  console.log(table(["a run of", "runs/s", "µs per run", "of one step"], rows));
}

/** One run with one loop of so many items, 64 at a time. */
async function loops(): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const items of [100, 10_000, 100_000]) {
    progress(`forEach over ${items} items …`);
    rows.push(
      await inDirectory(async (directory) => {
        const engine = createCronflow({ database: join(directory, "bench.db") });
        let live = 0;
        let most = 0;
        engine
          .define({ id: "bench" })
          .forEach(
            "each",
            () => Array.from({ length: items }, (_, index) => index),
            (_item, flow) =>
              flow.step("double", async (ctx) => {
                live += 1;
                most = Math.max(most, live);
                await null;
                live -= 1;
                return (ctx.item as number) * 2;
              }),
            { concurrency: 64 },
          )
          .step("sum", (ctx) => (ctx.last as number[]).reduce((sum, value) => sum + value, 0));
        await engine.start({ handleSignals: false });
        Bun.gc(true);
        const before = process.memoryUsage().rss;
        let peak = before;
        const watch = setInterval(() => {
          peak = Math.max(peak, process.memoryUsage().rss);
        }, 20);
        const began = performance.now();
        const sum = await engine.execute("bench");
        const seconds = (performance.now() - began) / 1_000;
        clearInterval(watch);
        if (sum !== items * (items - 1)) throw new Error(`the sum of ${items} items is ${sum}`);
        await engine.stop();
        return [
          items,
          round(seconds),
          round(items / seconds),
          round((seconds / items) * 1e6),
          most,
          round((peak - before) / 2 ** 20),
        ];
      }),
    );
  }
  progress("");
  console.log(`\n${table(["items", "seconds", "items/s", "µs per item", "most at a time", "MB more"], rows)}`);
}

/** Runs that sleep: what they cost, how fast a database full of them opens, and how late those that are due wake. */
async function sleepers(): Promise<void> {
  await inDirectory(async (directory) => {
    const database = join(directory, "bench.db");
    const lateness: number[] = [];
    const define = (engine: Cronflow) =>
      engine
        .define({ id: "bench" })
        .sleepUntil((ctx) => ctx.payload as number)
        .step("awake", (ctx) => void lateness.push(Date.now() - (ctx.payload as number)));
    const engine = createCronflow({ database });
    define(engine);
    await engine.start({ handleSignals: false });
    await startMany(engine, 1_000, Date.now() + 86_400_000);
    Bun.gc(true);
    const memory = process.memoryUsage().rss;
    const disk = statSync(database).size;
    progress(`${SLEEPERS} sleepers …`);
    const began = performance.now();
    await startMany(engine, SLEEPERS, Date.now() + 86_400_000);
    await allAsleep(engine);
    const started = SLEEPERS / ((performance.now() - began) / 1_000);
    await engine.stop();
    Bun.gc(true);
    const memoryEach = (process.memoryUsage().rss - memory) / SLEEPERS;
    const diskEach = (statSync(database).size - disk) / SLEEPERS;

    const again = createCronflow({ database });
    define(again);
    const opening = performance.now();
    await again.start({ handleSignals: false });
    const openedMs = performance.now() - opening;
    progress(`${DUE_AT_ONCE} due at once …`);
    const due = Date.now() + 4_000;
    await startMany(again, DUE_AT_ONCE, due);
    while (lateness.length < DUE_AT_ONCE) await Bun.sleep(5);
    await again.stop();
    lateness.sort((a, b) => a - b);
    if ((lateness[0] ?? -1) < 0) throw new Error("a sleeper woke early");
    progress("");
    const header = [
      "sleepers",
      "started/s",
      "bytes of memory",
      "bytes of disk",
      "ms to open",
      "due at once",
      "late p50 ms",
      "late p99 ms",
    ];
    const row = [
      SLEEPERS,
      round(started),
      Math.round(Math.max(memoryEach, 0)),
      Math.round(diskEach),
      round(openedMs),
      DUE_AT_ONCE,
      percentile(lateness, 0.5),
      percentile(lateness, 0.99),
    ];
    console.log(`\n${table(header, [row])}`);
  });
}

/** Every run has been asked until when it sleeps. */
async function allAsleep(engine: Cronflow): Promise<void> {
  for (const status of ["pending", "running"] as const) {
    while ((await engine.list({ status, limit: 1 })).runs.length > 0) await Bun.sleep(5);
  }
}

async function startMany(engine: Cronflow, runs: number, until: number): Promise<void> {
  for (let started = 0; started < runs; started += 2_000) {
    const wave = Array.from({ length: Math.min(2_000, runs - started) }, () => engine.trigger("bench", until));
    await Promise.all(wave);
  }
}
