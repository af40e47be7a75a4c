/** Versions of a workflow, hooks and retention: what stays with a run, and for how long. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Cronflow, RunRecord, RunStatus } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

const TOKEN = "versions-token-0123456789";

/** The run, once it has this status. */
async function until(engine: Cronflow, runId: string, status: RunStatus): Promise<RunRecord> {
  for (;;) {
    const record = await engine.inspect(runId);
    if (record.status === status) return record;
    if (record.finishedAt !== undefined) throw new Error(`the run is ${record.status}: ${record.error?.message}`);
  }
}

test("a run goes on with the version it began with; new runs begin with the one defined last", async () => {
  const database = join(temporaryDirectory(), "versions.db");
  const one = (engine: Cronflow) =>
    engine
      .define({ id: "w", version: "1" })
      .waitForEvent("go")
      .step("old", (ctx) => `old, version ${ctx.run.version}`);
  const two = (engine: Cronflow) =>
    engine.define({ id: "w", version: "2" }).step("new", (ctx) => `new, version ${ctx.run.version}`);
  const before = testEngine({ database });
  one(before);
  await before.start();
  const runId = await before.trigger("w");
  await until(before, runId, "waiting");
  await before.stop();
  const after = testEngine({ database });
  one(after);
  two(after);
  await after.start();
  await after.publishEvent("go");
  expect(await after.result(runId)).toBe("old, version 1");
  expect(await after.execute("w")).toBe("new, version 2");
});

test("a run of a version that is gone follows the current one if that fits; else it is stuck until its version is back", async () => {
  const database = join(temporaryDirectory(), "versions.db");
  const define = (engine: Cronflow, version: string, name: string): Cronflow => {
    engine
      .define({ id: "w", version })
      .step(name, () => version)
      .waitForEvent("go", { name: "wait" })
      .step("end", (ctx) => `${ctx.run.version} after ${Object.keys(ctx.steps)[0]}`);
    return engine;
  };
  const first = define(testEngine({ database }), "1", "a");
  await first.start();
  const runId = await first.trigger("w");
  await until(first, runId, "waiting");
  await first.stop();
  const second = define(testEngine({ database }), "2", "b");
  await second.start();
  await second.publishEvent("go");
  expect(await until(second, runId, "stuck")).toMatchObject({ error: { code: "definition_changed" } });
  expect(second.result(runId)).rejects.toMatchObject({ status: "stuck" });
  await second.stop();
  const third = define(define(testEngine({ database }), "1", "a"), "2", "b");
  await third.start();
  // The event was published while the run waited for it, and could not go on: it is not lost.
  expect(await third.result(runId)).toBe("1 after a");
});

test("runs that are stuck after a change are told in one line of the log", async () => {
  const database = join(temporaryDirectory(), "told.db");
  const before = testEngine({ database });
  before
    .define({ id: "w" })
    .step("a", () => 1)
    .waitForEvent("go")
    .step("end", () => 2);
  await before.start();
  const runIds = await Promise.all(Array.from({ length: 12 }, () => before.trigger("w")));
  await Promise.all(runIds.map((runId) => until(before, runId, "waiting")));
  await before.stop();
  const warnings: string[] = [];
  const warned = Promise.withResolvers<void>();
  const warn = (message: string): void => {
    warnings.push(message);
    warned.resolve();
  };
  const after = testEngine({ database, log: { ...console, warn, info() {} } });
  after
    .define({ id: "w" })
    .step("b", () => 1)
    .waitForEvent("go")
    .step("end", () => 2);
  await after.start();
  await after.publishEvent("go");
  await warned.promise;
  await Promise.all(runIds.map((runId) => until(after, runId, "stuck")));
  expect(warnings.map((message) => message.split(":")[0])).toEqual([`12 runs, ${runIds[0]} first, are stuck`]);
});

test("a stuck run can be cancelled, replayed, or retried once the workflow fits again", async () => {
  const database = join(temporaryDirectory(), "stuck.db");
  const define = (engine: Cronflow, name: string): Cronflow => {
    engine
      .define({ id: "w" })
      .step(name, () => name)
      .waitForEvent("go");
    return engine;
  };
  const before = define(testEngine({ database }), "a");
  await before.start();
  const runIds = await Promise.all([before.trigger("w"), before.trigger("w")]);
  await Promise.all(runIds.map((runId) => until(before, runId, "waiting")));
  await before.stop();
  const after = define(testEngine({ database }), "b");
  await after.start();
  await after.publishEvent("go");
  await Promise.all(runIds.map((runId) => until(after, runId, "stuck")));
  await after.cancelRun(runIds[0] as string, "given up");
  expect(await after.inspect(runIds[0] as string)).toMatchObject({ status: "cancelled" });
  const replayed = await after.replay(runIds[1] as string);
  await until(after, replayed, "waiting");
  await after.publishEvent("go", 1);
  expect(await after.result(replayed)).toBe(1);
});

test("two workflows of one id and version are an error", () => {
  const engine = testEngine();
  engine.define({ id: "w", version: "1" });
  engine.define({ id: "w", version: "2" });
  expect(() => engine.define({ id: "w", version: "2" })).toThrow("Two workflows have the id `w` and the version 2");
});

test("a run's hook is called once, also after a restart; one that was interrupted is called again", async () => {
  const database = join(temporaryDirectory(), "hooks.db");
  const calls: string[] = [];
  const define = (engine: Cronflow, life: number, hangs: Promise<void> | undefined, called: () => void): Cronflow => {
    engine
      .define({
        id: "w",
        hooks: {
          onSuccess: (ctx, step) => {
            if (step !== undefined) return;
            calls.push(`${ctx.payload} in life ${life}: ${ctx.last}`);
            if (ctx.payload === "interrupted") called();
            return ctx.payload === "interrupted" ? hangs : undefined;
          },
        },
      })
      .step("x", () => "done");
    return engine;
  };
  const hooked = Promise.withResolvers<void>();
  const before = define(testEngine({ database }), 1, new Promise(() => {}), hooked.resolve);
  await before.start();
  await before.execute("w", "whole");
  const interrupted = await before.trigger("w", "interrupted");
  expect(await before.result(interrupted)).toBe("done");
  await hooked.promise;
  await before.stop({ timeout: 0 });
  const again = Promise.withResolvers<void>();
  const after = define(testEngine({ database }), 2, undefined, again.resolve);
  await after.start();
  await again.promise;
  await after.execute("w", "third");
  await after.stop();
  expect(calls).toEqual([
    "whole in life 1: done",
    "interrupted in life 1: done",
    "interrupted in life 2: done",
    "third in life 2: done",
  ]);
});

test("ended runs are deleted after their retention, others are kept", async () => {
  const engine = testEngine();
  const tells = (ctx: { run: { id: string } }) => ({ runId: ctx.run.id, at: Date.now() });
  const short = engine.define({ id: "short", retention: 20 }).step("x", tells);
  const kept = engine.define({ id: "kept" }).step("x", tells);
  engine.define({ id: "open", retention: 20 }).waitForEvent("go");
  await engine.start();
  const open = await engine.trigger("open");
  const stays = await engine.execute(kept, undefined);
  const goes = await engine.execute(short, undefined);
  let deletedAtMs = 0;
  while (deletedAtMs === 0) {
    await engine.inspect(goes.runId).catch((error) => {
      expect(error).toMatchObject({ code: "run_not_found" });
      deletedAtMs = Date.now();
    });
  }
  expect(deletedAtMs).toBeGreaterThanOrEqual(goes.at + 20);
  expect(await engine.inspect(stays.runId)).toMatchObject({ status: "completed" });
  expect(await engine.inspect(open)).toMatchObject({ status: "waiting" });
  expect((await engine.list()).runs.map(({ workflowId }) => workflowId).sort()).toEqual(["kept", "open"]);
});

test("runs of a workflow that is not defined any more are told of, counted, and can be cancelled", async () => {
  const database = join(temporaryDirectory(), "orphans.db");
  const lines: string[] = [];
  const log = { debug() {}, info() {}, error() {}, warn: (line: string) => lines.push(line) };
  const open = async (ids: readonly string[]): Promise<Cronflow> => {
    const engine = testEngine({ database, log, auth: TOKEN });
    for (const id of ids)
      engine
        .define({ id })
        .waitForEvent("go")
        .step("end", () => id);
    await engine.start();
    return engine;
  };
  const counts = async (engine: Cronflow): Promise<unknown> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const response = await engine.fetch(new Request("http://localhost/cronflow/metrics", { headers }));
    const { stuck, orphaned } = (await response.json()) as Record<string, unknown>;
    return { stuck, orphaned };
  };
  const before = await open(["kept", "left"]);
  const [one, two] = [await before.trigger("left"), await before.trigger("left")];
  await until(before, await before.trigger("kept"), "waiting");
  expect(await counts(before)).toEqual({ stuck: 0, orphaned: 0 });
  await before.stop();
  const after = await open(["kept"]);
  expect(await counts(after)).toEqual({ stuck: 0, orphaned: 2 });
  expect(lines).toEqual([
    '2 open runs of the workflow "left" will not go on: it is not defined in this process. Define it, or end them by `cancelRun`.',
  ]);
  await after.cancelRun(one);
  expect(await counts(after)).toEqual({ stuck: 0, orphaned: 1 });
  await after.stop();
  const again = await open(["kept", "left"]);
  await again.publishEvent("go");
  expect(await again.result(two)).toBe("left");
  expect(lines).toHaveLength(1);
});
