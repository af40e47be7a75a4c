/** What can be done to runs from outside: retry, replay, pause, cancel. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, RunError, type RunRecord, type RunStatus } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** The run, once it has this status. */
async function until(engine: Cronflow, runId: string, status: RunStatus): Promise<RunRecord> {
  for (;;) {
    const record = await engine.inspect(runId);
    if (record.status === status) return record;
    if (record.finishedAt !== undefined) throw new Error(`the run is ${record.status}: ${record.error?.message}`);
  }
}

/** A workflow whose second step works once it is mended, with a record of its calls. */
function mendable(engine: Cronflow) {
  const calls: string[] = [];
  const world = { isMended: false, calls };
  engine
    .define({ id: "mendable", hooks: { onFailure: (_, step) => void calls.push(`failed ${step ?? "run"}`) } })
    .step("first", () => {
      calls.push("first");
      return calls.length;
    })
    .step("second", (ctx) => {
      calls.push(`second ${ctx.attempt}`);
      if (!world.isMended) throw new Error("broken");
      return ctx.last;
    })
    .step("third", (ctx) => [ctx.last, ctx.payload]);
  return world;
}

test("retryRun goes on with the step that failed, and does nothing twice", async () => {
  const engine = testEngine();
  const world = mendable(engine);
  await engine.start();
  const runId = await engine.trigger("mendable", "payload");
  await engine.result(runId).catch(() => {});
  world.isMended = true;
  await engine.retryRun(runId);
  expect(await engine.result(runId)).toEqual([1, "payload"]);
  expect(world.calls).toEqual(["first", "second 1", "failed second", "failed run", "second 1"]);
  const { attempts, status, error } = await engine.inspect(runId);
  expect({ status, error }).toEqual({ status: "completed", error: undefined });
  expect(attempts.map(({ step, handler, status: how }) => `${step} ${handler} ${how}`)).toEqual([
    "first body completed",
    "second body failed",
    "on_failure on_failure completed",
    "retry retry completed",
    "second body completed",
    "third body completed",
  ]);
});

test("a retried run that fails again can be retried again", async () => {
  const engine = testEngine();
  const world = mendable(engine);
  await engine.start();
  const runId = await engine.trigger("mendable");
  await engine.result(runId).catch(() => {});
  for (let time = 0; time < 3; time += 1) {
    // The hook of the time before may still execute.
    while (world.calls.filter((call) => call === "failed run").length <= time) await engine.inspect(runId);
    await retryWhenClosed(engine, runId);
    await engine.result(runId).catch(() => {});
  }
  expect(world.calls.filter((call) => call === "first")).toHaveLength(1);
  expect(world.calls.filter((call) => call === "second 1")).toHaveLength(4);
});

async function retryWhenClosed(engine: Cronflow, runId: string): Promise<void> {
  for (;;) {
    const error = await engine.retryRun(runId).then(
      () => undefined,
      (thrown) => thrown,
    );
    if (error === undefined) return;
    if (error.code !== "run_not_retryable") throw error;
  }
}

test("retryRun takes only runs that have failed, were cancelled or are stuck", async () => {
  const engine = testEngine();
  const begun = Promise.withResolvers<void>();
  engine.define({ id: "runs" }).step("x", () => {
    begun.resolve();
    return new Promise(() => {});
  });
  engine.define({ id: "waits" }).sleep("1d");
  engine.define({ id: "done" }).step("x", () => 1);
  await engine.start();
  const [runs, waits, done] = [
    await engine.trigger("runs"),
    await engine.trigger("waits"),
    await engine.trigger("done"),
  ];
  await Promise.all([begun.promise, engine.result(done)]);
  for (const [runId, status] of [
    [runs, "running"],
    [waits, "waiting"],
    [done, "completed"],
  ] as const) {
    const refused = engine.retryRun(runId);
    expect(refused).rejects.toMatchObject({ name: "ConflictError", message: expect.stringContaining(`is ${status}`) });
  }
  expect(engine.retryRun("run_0000000000000")).rejects.toMatchObject({ code: "run_not_found" });
});

test("a cancelled run is retried: what waited waits anew", async () => {
  const engine = testEngine();
  let calls = 0;
  engine
    .define({ id: "waits" })
    .step("x", () => {
      calls += 1;
      return calls;
    })
    .waitForEvent("go")
    .step("y", (ctx) => [ctx.last, ctx.steps.x.output]);
  await engine.start();
  const runId = await engine.trigger("waits");
  await until(engine, runId, "waiting");
  await engine.cancelRun(runId);
  await engine.publishEvent("go", "while it was cancelled");
  await engine.retryRun(runId);
  await until(engine, runId, "waiting");
  await engine.publishEvent("go", "after it was retried");
  expect(await engine.result(runId)).toEqual(["after it was retried", 1]);
});

test("retryRun keeps the items of a loop that are done", async () => {
  const engine = testEngine();
  const seen: number[] = [];
  let isMended = false;
  engine.define({ id: "items" }).forEach("l", [1, 2, 3], (item, flow) =>
    flow.step("x", () => {
      seen.push(item);
      if (item === 2 && !isMended) throw new Error("broken");
      return item * 10;
    }),
  );
  await engine.start();
  const runId = await engine.trigger("items");
  await engine.result(runId).catch(() => {});
  isMended = true;
  await engine.retryRun(runId);
  expect(await engine.result(runId)).toEqual([10, 20, 30]);
  expect(seen).toEqual([1, 2, 2, 3]);
});

test("a failed child is started anew when its parent is retried", async () => {
  const engine = testEngine();
  let isMended = false;
  const child = engine.define({ id: "child" }).step("x", () => {
    if (!isMended) throw new Error("broken");
    return "mended";
  });
  engine.define({ id: "parent" }).subflow("c", child);
  await engine.start();
  const runId = await engine.trigger("parent");
  await engine.result(runId).catch(() => {});
  isMended = true;
  await engine.retryRun(runId);
  expect(await engine.result(runId)).toBe("mended");
  expect((await engine.list({ workflowId: "child" })).runs.map(({ status }) => status)).toEqual([
    "completed",
    "failed",
  ]);
});

/** A workflow that shows which steps were executed, and with what. */
function traced(engine: Cronflow) {
  const calls: string[] = [];
  const step = (name: string) => (ctx: { payload: unknown; last: unknown }) => {
    calls.push(name);
    return `${name}(${ctx.payload}, ${ctx.last ?? "-"})`;
  };
  engine.define({ id: "traced" }).step("a", step("a")).step("b", step("b")).step("c", step("c"));
  return calls;
}

test("replay is a new run that uses what was recorded before a step", async () => {
  const engine = testEngine();
  const calls = traced(engine);
  await engine.start();
  const runId = await engine.trigger("traced", 1);
  const output = await engine.result(runId);
  calls.length = 0;
  const replayed = await engine.replay(runId, { fromStep: "b" });
  expect(replayed).not.toBe(runId);
  expect(await engine.result(replayed)).toBe(output as string);
  expect(calls).toEqual(["b", "c"]);
  expect(await engine.inspect(replayed)).toMatchObject({ replayOf: runId, payload: 1, status: "completed" });
  expect((await engine.inspect(runId)).attempts).toHaveLength(3);
});

test("replay without a step executes all; payload and outputs can be others", async () => {
  const engine = testEngine();
  const calls = traced(engine);
  await engine.start();
  const runId = await engine.trigger("traced", 1);
  await engine.result(runId);
  calls.length = 0;
  const other = await engine.replay(runId, { overridePayload: 2, mockStep: { b: "mocked" } });
  expect(await engine.result(other)).toBe("c(2, mocked)");
  expect(calls).toEqual(["a", "c"]);
  const falsy = await engine.replay(runId, { overridePayload: null, mockStep: { a: false, b: undefined } });
  expect(await engine.result(falsy)).toBe("c(null, -)");
  expect(await engine.inspect(falsy)).toMatchObject({ payload: null });
});

test("a failed run can be replayed from the step that failed, with another payload", async () => {
  const engine = testEngine();
  const calls: unknown[] = [];
  engine
    .define({ id: "picky" })
    .step("a", (ctx) => calls.push(["a", ctx.payload]))
    .step("b", (ctx) => {
      if (ctx.payload === "bad") throw new Error("bad payload");
      return ctx.payload;
    });
  await engine.start();
  const runId = await engine.trigger("picky", "bad");
  await engine.result(runId).catch(() => {});
  expect(await engine.result(await engine.replay(runId, { fromStep: "b", overridePayload: "good" }))).toBe("good");
  expect(calls).toEqual([["a", "bad"]]);
});

test("replay of what does not exist, or with what cannot be recorded, is refused", async () => {
  const engine = testEngine();
  traced(engine);
  await engine.start();
  const runId = await engine.trigger("traced");
  expect(engine.replay(runId, { fromStep: "z" })).rejects.toMatchObject({
    name: "NotFoundError",
    code: "step_not_found",
  });
  expect(engine.replay(runId, { mockStep: { z: 1 } })).rejects.toMatchObject({ code: "step_not_found" });
  expect(engine.replay(runId, { mockStep: { a: Number.NaN } })).rejects.toThrow("mock of step `a`");
  expect(engine.replay("run_0000000000000")).rejects.toMatchObject({ code: "run_not_found" });
  expect((await engine.list()).runs).toHaveLength(1);
});

test("a paused workflow takes runs and executes none until it is unpaused, also after a restart", async () => {
  const database = join(temporaryDirectory(), "paused.db");
  const calls: string[] = [];
  const define = (engine: Cronflow): Cronflow => {
    for (const id of ["paused", "free"]) engine.define({ id }).step("x", () => calls.push(id));
    return engine;
  };
  const before = define(testEngine({ database }));
  await before.start();
  await before.pause("paused");
  const runIds = [await before.trigger("paused"), await before.trigger("paused")];
  await before.execute("free");
  await before.stop();
  const after = define(testEngine({ database }));
  await after.start();
  await after.execute("free");
  expect(await after.inspect(runIds[0] as string)).toMatchObject({ status: "pending", attempts: [] });
  await after.cancelRun(runIds[1] as string);
  await after.unpause("paused");
  await after.result(runIds[0] as string);
  expect(calls).toEqual(["free", "free", "paused"]);
  expect(after.pause("unknown")).rejects.toMatchObject({ code: "workflow_not_found" });
});

test("what executes when its workflow is paused may finish its step, and goes on when it is unpaused", async () => {
  const engine = testEngine();
  const [begun, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  engine
    .define({ id: "w" })
    .step("x", async () => {
      begun.resolve();
      await hold.promise;
      return 1;
    })
    .sleep(1)
    .step("y", (ctx) => ctx.steps.x.output + 1);
  await engine.start();
  const runId = await engine.trigger("w");
  await begun.promise;
  await engine.pause("w");
  hold.resolve();
  const pending = await until(engine, runId, "pending");
  expect(pending.attempts.map(({ step }) => step)).toEqual(["x", "sleep-2"]);
  await engine.unpause("w");
  expect(await engine.result(runId)).toBe(2);
});

test("a delayed run waits, and can be cancelled before it begins", async () => {
  const engine = testEngine();
  const calls: unknown[] = [];
  engine.define({ id: "later" }).step("x", (ctx) => calls.push(ctx.payload));
  await engine.start();
  const [soon, never] = [
    await engine.trigger("later", "soon", { delay: 20 }),
    await engine.trigger("later", "never", { delay: "1d" }),
  ];
  await engine.cancelRun(never, "not wanted");
  await engine.result(soon);
  const { startAt, createdAt, finishedAt } = await engine.inspect(soon);
  expect((startAt as Date).getTime() - createdAt.getTime()).toBeGreaterThanOrEqual(20);
  expect((finishedAt as Date).getTime()).toBeGreaterThanOrEqual((startAt as Date).getTime());
  expect(engine.result(never)).rejects.toBeInstanceOf(RunError);
  expect(calls).toEqual(["soon"]);
});

test("what is no run id is refused as such", async () => {
  const engine = testEngine();
  engine.define({ id: "a" }).step("x", () => 1);
  await engine.start();
  for (const asked of [engine.inspect("run_1"), engine.cancelRun(""), engine.list({ cursor: "x" })]) {
    const error = await asked.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(error).toMatchObject({ code: "run_id_invalid", message: "a run id is `run_` and 13 characters" });
  }
});
