/** Sleeps and events, as users see them, and what of them survives a restart. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, RunError, type RunRecord, type RunStatus } from "cronflow-ffi";
import { z } from "zod";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** The run, once it has this status. */
async function until(engine: Cronflow, runId: string, status: RunStatus): Promise<RunRecord> {
  for (;;) {
    const record = await engine.inspect(runId);
    if (record.status === status) return record;
    if (record.finishedAt !== undefined) throw new Error(`the run is ${record.status}: ${record.error?.message}`);
  }
}

test("sleep and sleepUntil pass last through, and are not early", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "sleeps" })
    .step("x", () => Date.now())
    .sleep(20)
    .sleep((ctx) => `${5 + ctx.last * 0}ms`)
    .sleepUntil((ctx) => new Date(ctx.last + 40))
    .step("y", (ctx) => Date.now() - ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBeGreaterThanOrEqual(40);
});

test.each([0, "0s"])("a sleep of %p is none, nor is one until the past", async (duration) => {
  const engine = testEngine();
  engine
    .define({ id: "past" })
    .step("x", () => "passed")
    .sleep(duration)
    .sleepUntil(0)
    .sleepUntil("2001-01-01T00:00:00Z")
    .sleepUntil(() => new Date(0))
    .step("y", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute("past")).toBe("passed");
});

test("a time to sleep that is none fails the run, or is an error where it is written", async () => {
  const engine = testEngine();
  engine
    .define({ id: "computed" })
    .sleep(() => "soon")
    .step("x", () => 1);
  engine
    .define({ id: "moment" })
    .sleepUntil(() => "tomorrow")
    .step("x", () => 1);
  const unused = testEngine();
  expect(() => unused.define({ id: "a" }).sleep("soon")).toThrow("Workflow `a`, .sleep(), number 1: `duration`");
  expect(() => unused.define({ id: "b" }).sleepUntil("tomorrow")).toThrow("is not a moment");
  await engine.start();
  expect(engine.execute("computed")).rejects.toThrow("soon");
  expect(engine.execute("moment")).rejects.toThrow("is not a moment");
});

test("a wait takes the first event after its beginning, and none from before", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "waits" })
    .waitForEvent("paid", { name: "payment" })
    .step("end", (ctx) => [ctx.last, ctx.steps.payment.output]);
  await engine.start();
  await engine.publishEvent("paid", "too early");
  const runId = await engine.trigger(workflow, undefined);
  await until(engine, runId, "waiting");
  await engine.publishEvent("other", "another name");
  await engine.publishEvent("paid", { amount: 5 });
  await engine.publishEvent("paid", "too late");
  expect(await engine.result(runId)).toEqual([{ amount: 5 }, { amount: 5 }]);
});

test("an event that is published while the filter is asked about another one is not lost", async () => {
  const engine = testEngine();
  const asked = Promise.withResolvers<void>();
  const published = Promise.withResolvers<void>();
  const seen: number[] = [];
  engine.define({ id: "waits" }).waitForEvent("e", {
    schema: z.object({ n: z.number() }),
    filter: async (event, ctx) => {
      seen.push(event.n);
      asked.resolve();
      await published.promise;
      return event.n === (ctx.payload as number);
    },
  });
  await engine.start();
  const runId = await engine.trigger("waits", 3);
  await until(engine, runId, "waiting");
  await engine.emit("e", { n: 1 });
  await asked.promise;
  for (const event of [{ other: "schema" }, { n: 2 }, { n: 3 }, { n: 4 }]) await engine.publishEvent("e", event);
  published.resolve();
  expect(await engine.result(runId)).toEqual({ n: 3 });
  expect(seen).toEqual([1, 2, 3]);
});

test("an event reaches every run that waits for it", async () => {
  const engine = testEngine();
  engine.define({ id: "waits" }).waitForEvent("go");
  await engine.start();
  const runIds = await Promise.all(Array.from({ length: 100 }, () => engine.trigger("waits")));
  await Promise.all(runIds.map((runId) => until(engine, runId, "waiting")));
  await engine.publishEvent("go");
  expect(await Promise.all(runIds.map((runId) => engine.result(runId)))).toEqual(new Array(100).fill(undefined));
});

test("a wait whose time is over gives { timedOut: true }, also when its time is no time", async () => {
  const engine = testEngine();
  for (const timeout of [0, 5]) engine.define({ id: `after-${timeout}` }).waitForEvent("never", { timeout });
  await engine.start();
  expect(await engine.execute("after-0")).toEqual({ timedOut: true });
  expect(await engine.execute("after-5")).toEqual({ timedOut: true });
});

test("a filter that throws fails the wait, and its onError saves it", async () => {
  const engine = testEngine();
  const filter = (): boolean => {
    throw new Error("no such field");
  };
  engine.define({ id: "fails" }).waitForEvent("e", { filter });
  engine
    .define({ id: "saved" })
    .waitForEvent("e", { filter })
    .onError((ctx) => ctx.error.message);
  await engine.start();
  const [fails, saved] = [await engine.trigger("fails"), await engine.trigger("saved")];
  await Promise.all([until(engine, fails, "waiting"), until(engine, saved, "waiting")]);
  await engine.publishEvent("e", 1);
  expect(engine.result(fails)).rejects.toBeInstanceOf(RunError);
  expect(await engine.result(saved)).toBe("no such field");
});

test("a filter that throws is tried again as its retry says, and the event is not lost to it", async () => {
  const engine = testEngine();
  let asked = 0;
  engine
    .define({ id: "retried" })
    .waitForEvent("e", {
      filter: () => {
        asked += 1;
        if (asked < 3) throw new Error("not yet");
        return true;
      },
    })
    .retry({ attempts: 3, backoff: { delay: 1 } });
  await engine.start();
  const runId = await engine.trigger("retried");
  await until(engine, runId, "waiting");
  await engine.publishEvent("e", 7);
  expect([await engine.result(runId), asked]).toEqual([7, 3]);
});

test("a run that a filter has failed waits again when it is taken up again", async () => {
  const engine = testEngine();
  const filter = (event: unknown): boolean => (event as { order: { id: string } }).order.id === "A";
  engine.define({ id: "w" }).waitForEvent("e", { filter });
  await engine.start();
  const runId = await engine.trigger("w");
  await until(engine, runId, "waiting");
  await engine.publishEvent("e", { test: true });
  await expect(engine.result(runId)).rejects.toBeInstanceOf(RunError);
  await engine.retryRun(runId);
  await until(engine, runId, "waiting");
  await engine.publishEvent("e", { order: { id: "A" } });
  expect(await engine.result(runId)).toEqual({ order: { id: "A" } });
});

test("an event that does not match the schema is passed over before the filter can throw at it", async () => {
  const engine = testEngine();
  engine.define({ id: "w" }).waitForEvent("e", {
    schema: z.object({ order: z.object({ id: z.string() }) }),
    filter: (event) => event.order.id.trim() === "A",
  });
  await engine.start();
  const runId = await engine.trigger("w");
  await until(engine, runId, "waiting");
  for (const foreign of [{ test: true }, null, undefined, { order: { id: 5 } }])
    await engine.publishEvent("e", foreign);
  await engine.publishEvent("e", { order: { id: "A" } });
  expect(await engine.result(runId)).toEqual({ order: { id: "A" } });
});

test("events are JSON, and have a name", async () => {
  const engine = testEngine();
  await engine.start();
  expect(engine.publishEvent("e", { at: Number.NaN })).rejects.toThrow("$.at is NaN");
  expect(engine.publishEvent("")).rejects.toMatchObject({ name: "InvalidError" });
  expect(() => engine.publishEvent("e", undefined)).not.toThrow();
});

/** Each kind of wait, and what ends it. The second life defines the same workflow. */
const WAITS: Record<string, { define(engine: Cronflow, life: number): unknown; end?(engine: Cronflow): unknown }> = {
  sleep: { define: (engine) => engine.define({ id: "w" }).sleep(250) },
  "computed sleep": { define: (engine, life) => engine.define({ id: "w" }).sleep(() => (life === 1 ? 250 : "1d")) },
  "sleep until": {
    define: (engine, life) => engine.define({ id: "w" }).sleepUntil(() => Date.now() + (life === 1 ? 250 : 1e8)),
  },
  event: {
    define: (engine) => engine.define({ id: "w" }).waitForEvent("e"),
    end: (engine) => engine.publishEvent("e", 1),
  },
  "filtered event": {
    define: (engine) => engine.define({ id: "w" }).waitForEvent("e", { filter: (e) => e === 2 }),
    end: async (engine) => {
      await engine.publishEvent("e", 1);
      await engine.publishEvent("e", 2);
    },
  },
  "event that does not come": { define: (engine) => engine.define({ id: "w" }).waitForEvent("e", { timeout: 250 }) },
  "delay of a step": {
    define: (engine) =>
      engine
        .define({ id: "w" })
        .step("x", () => 1)
        .delay(250),
  },
  retry: {
    define: (engine) =>
      engine
        .define({ id: "w" })
        .step("x", (ctx) => (ctx.attempt === 1 ? Promise.reject(new Error("again")) : ctx.attempt))
        .retry({ backoff: { delay: 250 } }),
  },
  "approval that nobody gives": { define: (engine) => engine.define({ id: "w" }).humanInTheLoop({ timeout: 250 }) },
  "child run": {
    define: (engine) => {
      engine.define({ id: "child" }).waitForEvent("e");
      return engine.define({ id: "w" }).subflow("c", "child");
    },
    end: (engine) => engine.publishEvent("e", 1),
  },
  "waits beside each other": {
    define: (engine) =>
      engine.define({ id: "w" }).parallel([
        (flow) => flow.sleep(250),
        (flow) => flow.waitForEvent("e"),
        (flow) => flow.forEach("l", [1, 2, 3], (_, inner) => inner.sleep(80), { concurrency: 2 }),
        (flow) =>
          flow.while<unknown>(
            "r",
            (ctx) => ctx.last !== 1,
            (inner) => inner.waitForEvent("e"),
          ),
      ]),
    end: (engine) => engine.publishEvent("e", 1),
  },
};

const OUTPUTS: Record<string, unknown> = {
  event: 1,
  "filtered event": 2,
  "event that does not come": { timedOut: true },
  "delay of a step": 1,
  retry: 2,
  "approval that nobody gives": { approved: false, timedOut: true, status: "timeout" },
  "child run": 1,
  "waits beside each other": [null, 1, [null, null, null], 1],
};

test.each(Object.entries(WAITS))("%s: goes on after a restart, and is not early", async (name, { define, end }) => {
  const database = join(temporaryDirectory(), "waits.db");
  const before = testEngine({ database });
  define(before, 1);
  await before.start();
  const runId = await before.trigger("w");
  const { createdAt } = await until(before, runId, "waiting");
  if (name === "child run") {
    const [child] = (await before.list({ workflowId: "child" })).runs;
    await until(before, child?.runId as string, "waiting");
  }
  await before.stop({ timeout: 0 });

  const after = testEngine({ database });
  define(after, 2);
  await after.start();
  await end?.(after);
  expect(await after.result(runId)).toEqual(OUTPUTS[name]);
  const { finishedAt } = await after.inspect(runId);
  if (end === undefined) expect((finishedAt as Date).getTime()).toBeGreaterThanOrEqual(createdAt.getTime() + 250);
});
