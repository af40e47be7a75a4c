/** What is done at the same time, how often, and in which order: concurrency, rate limits, queues, priorities. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Cronflow, RunRecord, RunStatus } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** The run, once it has this status. */
async function until(engine: Cronflow, runId: string, status: RunStatus): Promise<RunRecord> {
  for (;;) {
    const record = await engine.inspect(runId);
    if (record.status === status) return record;
    if (record.finishedAt !== undefined) throw new Error(`the run is ${record.status}: ${record.error?.message}`);
  }
}

/** Counts how many are inside at the same time. */
function gauge() {
  const inside = new Map<string, number>();
  const most = new Map<string, number>();
  const change = (key: string, by: number): void => {
    const now = (inside.get(key) ?? 0) + by;
    inside.set(key, now);
    most.set(key, Math.max(most.get(key) ?? 0, now));
  };
  const visit = async (...keys: string[]): Promise<void> => {
    for (const key of keys) change(key, 1);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    for (const key of keys) change(key, -1);
  };
  return { visit, most: (key: string) => most.get(key) };
}

test("no more runs of a workflow execute at the same time than it may, first come first", async () => {
  const engine = testEngine();
  const { visit, most } = gauge();
  const order: unknown[] = [];
  engine.define({ id: "two", concurrency: 2 }).step("x", async (ctx) => {
    order.push(ctx.payload);
    await visit("two");
  });
  engine.define({ id: "free" }).step("x", () => visit("free"));
  await engine.start();
  await Promise.all(
    Array.from({ length: 30 }, (_, index) => [engine.execute("two", index), engine.execute("free")]).flat(),
  );
  expect(most("two")).toBe(2);
  expect(most("free")).toBeGreaterThan(2);
  expect(order).toEqual(Array.from({ length: 30 }, (_, index) => index));
});

test("concurrency with a key counts the runs of each key for themselves", async () => {
  const engine = testEngine();
  const { visit, most } = gauge();
  const meeting = { a: Promise.withResolvers<void>(), b: Promise.withResolvers<void>() };
  const key = (payload: unknown): string => (payload as { tenant: string }).tenant;
  engine.define({ id: "tenants", concurrency: { limit: 1, key } }).step("x", async (ctx) => {
    const tenant = key(ctx.payload) as "a" | "b";
    meeting[tenant].resolve();
    // Both tenants execute at the same time, or this never ends.
    await Promise.all([meeting.a.promise, meeting.b.promise]);
    await visit(tenant);
  });
  await engine.start();
  const runs = ["a", "b"].flatMap((tenant) => Array.from({ length: 10 }, () => engine.execute("tenants", { tenant })));
  await Promise.all(runs);
  expect([most("a"), most("b")]).toEqual([1, 1]);
});

test("a key that is no text is the caller's error", async () => {
  const engine = testEngine();
  engine.define({ id: "number", concurrency: { limit: 1, key: () => 5 as never } }).step("x", () => 1);
  engine
    .define({
      id: "throws",
      rateLimit: {
        count: 1,
        per: 1,
        key: () => {
          throw new Error("no tenant");
        },
      },
    })
    .step("x", () => 1);
  await engine.start();
  expect(engine.trigger("number")).rejects.toMatchObject({
    code: "value_invalid",
    message: expect.stringContaining("5"),
  });
  expect(engine.trigger("throws")).rejects.toThrow("no tenant");
  expect((await engine.list()).runs).toEqual([]);
});

test("a run that waits holds no place, and takes one again when it goes on", async () => {
  const engine = testEngine();
  const { visit, most } = gauge();
  engine
    .define({ id: "one", concurrency: 1 })
    .step("before", () => visit("one"))
    .waitForEvent("go")
    .step("after", () => visit("one"));
  await engine.start();
  const runIds = await Promise.all(Array.from({ length: 10 }, () => engine.trigger("one")));
  await Promise.all(runIds.map((runId) => until(engine, runId, "waiting")));
  await engine.publishEvent("go");
  await Promise.all(runIds.map((runId) => engine.result(runId)));
  expect(most("one")).toBe(1);
});

test("concurrency holds across a restart, and what waited for a place is not lost", async () => {
  const database = join(temporaryDirectory(), "limit.db");
  const begun = Promise.withResolvers<void>();
  const before = testEngine({ database });
  before.define({ id: "one", concurrency: 1 }).step("x", () => {
    begun.resolve();
    return new Promise(() => {});
  });
  await before.start();
  const runIds = await Promise.all(Array.from({ length: 10 }, (_, index) => before.trigger("one", index)));
  await begun.promise;
  await before.stop({ timeout: 0 });
  const after = testEngine({ database });
  const { visit, most } = gauge();
  after.define({ id: "one", concurrency: 1 }).step("x", async (ctx) => {
    await visit("one");
    return ctx.payload;
  });
  await after.start();
  const results = await Promise.all(runIds.map((runId) => after.result(runId)));
  expect(results).toEqual(runIds.map((_, index) => index));
  expect(most("one")).toBe(1);
});

test("workflows that name one queue share its places", async () => {
  const engine = testEngine();
  const { visit, most } = gauge();
  for (const id of ["a", "b"]) {
    engine.define({ id, queue: { name: "mail", concurrency: 2 } }).step("x", () => visit("mail", id));
  }
  await engine.start();
  await Promise.all(Array.from({ length: 20 }, () => [engine.execute("a"), engine.execute("b")]).flat());
  expect(most("mail")).toBe(2);
});

test("a queue's places are counted for workflows that only name it, too", async () => {
  const engine = testEngine();
  const { visit, most } = gauge();
  engine.define({ id: "says", queue: { name: "mail", concurrency: 1 } }).step("x", () => visit("mail"));
  engine.define({ id: "names", queue: "mail" }).step("x", () => visit("mail"));
  await engine.start();
  await Promise.all(Array.from({ length: 20 }, () => [engine.execute("says"), engine.execute("names")]).flat());
  expect(most("mail")).toBe(1);
});

test("the higher priority goes first, then who came first", async () => {
  const engine = testEngine();
  const order: unknown[] = [];
  const [begun, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const body = async (ctx: { payload: unknown }): Promise<void> => {
    if (ctx.payload !== "first") return void order.push(ctx.payload);
    begun.resolve();
    await hold.promise;
  };
  engine.define({ id: "low", queue: { name: "q", concurrency: 1 }, priority: -5 }).step("x", body);
  engine.define({ id: "normal", queue: { name: "q", concurrency: 1 } }).step("x", body);
  await engine.start();
  const runs = [engine.execute("low", "first")];
  await begun.promise;
  for (const [id, name, priority] of [
    ["low", "low", undefined],
    ["normal", "normal 1", undefined],
    ["normal", "normal 2", undefined],
    ["normal", "high", 100],
    ["low", "low, but urgent", 50],
  ] as const) {
    const runId = await engine.trigger(id, name, priority === undefined ? {} : { priority });
    runs.push(engine.result(runId));
  }
  hold.resolve();
  await Promise.all(runs);
  expect(order).toEqual(["high", "low, but urgent", "normal 1", "normal 2", "low"]);
});

test("no more runs begin in a stretch of time than the rate limit says; none is dropped, and the order is kept", async () => {
  const database = join(temporaryDirectory(), "rate.db");
  const order: unknown[] = [];
  const define = (engine: Cronflow) =>
    engine.define({ id: "two", rateLimit: { count: 2, per: 60 } }).step("x", (ctx) => {
      order.push(ctx.payload);
      return Date.now();
    });
  const before = testEngine({ database });
  define(before);
  await before.start();
  const runIds: string[] = [];
  for (let index = 0; index < 4; index += 1) runIds.push(await before.trigger("two", index));
  await before.result(runIds[1] as string);
  await before.stop({ timeout: 0 });
  const after = testEngine({ database });
  define(after);
  await after.start();
  for (let index = 4; index < 7; index += 1) runIds.push(await after.trigger("two", index));
  const began: number[] = [];
  for (const runId of runIds) {
    const at = (await after.result(runId)) as number;
    const { startAt, createdAt } = await after.inspect(runId);
    const may = (startAt ?? createdAt).getTime();
    expect(at).toBeGreaterThanOrEqual(may);
    began.push(may);
  }
  for (const [index, at] of began.entries()) {
    if (index >= 2) expect(at - (began[index - 2] as number)).toBeGreaterThanOrEqual(60);
  }
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test("a rate limit with a key counts each key for itself", async () => {
  const engine = testEngine();
  engine
    .define({ id: "keys", rateLimit: { count: 1, per: "1h", key: (payload) => payload as string } })
    .step("x", () => 1);
  await engine.start();
  expect(await Promise.all([engine.execute("keys", "a"), engine.execute("keys", "b")])).toEqual([1, 1]);
  const later = await engine.inspect(await engine.trigger("keys", "a"));
  expect(later.status).toBe("waiting");
  expect((later.startAt as Date).getTime() - later.createdAt.getTime()).toBeGreaterThan(3_500_000);
});

test("limits that are none are errors at definition, and say what to give", () => {
  const engine = testEngine();
  for (const [options, message] of [
    [{ concurrency: 0 }, "`concurrency` is 0; give a whole number from 1"],
    [{ concurrency: { limit: 1.5 } }, "`concurrency` is 1.5"],
    [{ rateLimit: { count: 0, per: 1 } }, "`rateLimit.count` is 0"],
    [{ rateLimit: { count: 1, per: 0 } }, "`rateLimit.per` is 0; give at least 1 ms"],
    [{ queue: "no spaces" }, 'queue of Workflow `w` "no spaces"'],
    [{ priority: 101 }, "`priority` is 101; give a whole number from -100 to 100"],
    [{ retention: "soon" }, "`retention`"],
  ] as const) {
    expect(() => engine.define({ id: "w", ...options })).toThrow(message);
  }
});
