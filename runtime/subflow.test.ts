/** Child runs and cancellation, as users see them. */
import { expect, test } from "bun:test";
import { type Cronflow, RunError, type RunRecord, type RunStatus } from "cronflow-ffi";
import { z } from "zod";
import { testEngine } from "./testing/engines.ts";

/** Why a run did not complete. */
async function failure(result: Promise<unknown>): Promise<RunError> {
  const error = await result.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(RunError);
  return error;
}

/** The run, once it has this status. */
async function until(engine: Cronflow, runId: string, status: RunStatus): Promise<RunRecord> {
  for (;;) {
    const record = await engine.inspect(runId);
    if (record.status === status) return record;
    if (record.finishedAt !== undefined) throw new Error(`the run is ${record.status}: ${record.error?.message}`);
  }
}

async function childOf(engine: Cronflow, workflowId: string): Promise<string> {
  for (;;) {
    const { runs } = await engine.list({ workflowId });
    if (runs[0] !== undefined) return runs[0].runId;
  }
}

test("a subflow gives the child's output; its input is a value, a function or ctx.last", async () => {
  const engine = testEngine();
  const child = engine
    .define({ id: "child" })
    .step("x", (ctx) => ({ got: ctx.payload as unknown, name: ctx.run.workflowId }));
  const parent = engine
    .define({ id: "parent" })
    .step("first", () => "last")
    .subflow("a", child)
    .subflow("b", "child", { fixed: true })
    .subflow("c", child, async (ctx) => ctx.steps.a.output.got)
    .subflow("d", child, () => undefined)
    .step("end", (ctx) => [ctx.steps.a.output.got, ctx.steps.b.output, ctx.steps.c.output.got, ctx.last]);
  await engine.start();
  const runId = await engine.trigger(parent, undefined);
  expect(await engine.result(runId)).toEqual([
    "last",
    { got: { fixed: true }, name: "child" },
    "last",
    { name: "child" },
  ]);
  const { runs } = await engine.list({ workflowId: "child" });
  expect(runs.map(({ parentRunId }) => parentRunId)).toEqual([runId, runId, runId, runId]);
});

test("no schema of the child is applied: it is given what the parent has", async () => {
  const engine = testEngine();
  const child = engine
    .define({ id: "child" })
    .manual({ schema: z.object({ length: z.string().transform((text) => text.length), by: z.number().default(2) }) })
    .step("x", (ctx) => ctx.payload.length * ctx.payload.by);
  const parent = engine
    .define({ id: "parent" })
    .step("x", () => ({ length: 3, by: 5, more: true }))
    .subflow("last", child)
    .subflow("made", child, (ctx) => ({ length: ctx.last, by: 1 }))
    .subflow("untyped", "child", { length: 7 })
    .step("end", (ctx) => [ctx.steps.last.output, ctx.steps.made.output, ctx.last]);
  await engine.start();
  // A part that is missing stays so: 7 * undefined is no number.
  await expect(engine.execute(parent)).rejects.toThrow("$ is NaN");
  expect(await engine.execute(child, { length: "four" })).toBe(8);
  const { runs } = await engine.list({ workflowId: "child", status: "completed" });
  const outputs = await Promise.all(runs.map(({ runId }) => engine.result(runId)));
  expect(outputs).toEqual([8, 15, 15]);
});

test("a child that fails fails the step, with its error; onError saves it", async () => {
  const engine = testEngine();
  const child = engine.define({ id: "child" }).step("x", (): number => {
    throw new RangeError("too far");
  });
  engine.define({ id: "fails" }).subflow("c", child);
  const saved = engine
    .define({ id: "saved" })
    .subflow("c", child)
    .onError((ctx) => `${ctx.error.name}: ${ctx.error.message}`);
  await engine.start();
  const error = await failure(engine.execute("fails"));
  expect(error.error.message).toContain("too far");
  expect(await engine.execute(saved, undefined)).toContain("too far");
});

test("a workflow that does not exist fails the step", async () => {
  const engine = testEngine();
  engine.define({ id: "parent" }).subflow("c", "missing");
  await engine.start();
  expect(engine.execute("parent")).rejects.toThrow("missing");
});

test("cancelling the parent cancels the child and its children; a cancelled child fails the step", async () => {
  const engine = testEngine();
  const grandchild = engine.define({ id: "grandchild" }).waitForEvent("never");
  const child = engine.define({ id: "child" }).subflow("g", grandchild);
  const parent = engine.define({ id: "parent" }).subflow("c", child);
  await engine.start();
  const runId = await engine.trigger(parent, undefined);
  const deep = await childOf(engine, "grandchild");
  await until(engine, deep, "waiting");
  await engine.cancelRun(runId, "not wanted");
  for (const id of [runId, await childOf(engine, "child"), deep]) {
    expect(await engine.inspect(id)).toMatchObject({ status: "cancelled" });
  }
  const other = await engine.trigger(parent, undefined);
  const otherChild = await childOf(engine, "child");
  await until(engine, otherChild, "waiting");
  await engine.cancelRun(otherChild, "only the child");
  const error = await failure(engine.result(other));
  expect(error).toMatchObject({ status: "failed", error: { message: expect.stringContaining("was cancelled") } });
});

test("a parent that fails or loses a race leaves no child behind", async () => {
  const engine = testEngine();
  const child = engine.define({ id: "child" }).waitForEvent("never");
  engine.define({ id: "parent", timeout: 200 }).subflow("c", child);
  engine.define({ id: "race" }).race([(flow) => flow.subflow("c", child), (flow) => flow.sleep(200)]);
  await engine.start();
  expect(engine.execute("parent")).rejects.toMatchObject({ error: { code: "run_timeout" } });
  await engine.execute("parent").catch(() => {});
  await engine.execute("race");
  const { runs } = await engine.list({ workflowId: "child" });
  expect(runs.map(({ status }) => status)).toEqual(["cancelled", "cancelled", "cancelled"]);
});

test("a workflow that calls itself for ever fails at the depth limit, and says so", async () => {
  const engine = testEngine();
  engine.define({ id: "self" }).subflow("again", "self");
  await engine.start();
  const error = await failure(engine.execute("self"));
  expect(error.error.code).toBe("subflow_too_deep");
  const { runs } = await engine.list({ workflowId: "self" });
  expect(runs).toHaveLength(33);
  expect(new Set(runs.map(({ status }) => status))).toEqual(new Set(["failed"]));
});

test("an onError that swallows the depth limit ends every level", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "self" })
    .step("begin", () => 0)
    .subflow("again", "self")
    .onError(() => 0)
    .step("count", (ctx) => (ctx.last as number) + 1);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe(33);
});

test("cancel ends the run as cancelled, from a node and from a handler, and calls no failure hook", async () => {
  const engine = testEngine();
  const calls: string[] = [];
  const hooks = {
    onFailure: () => void calls.push("failure"),
    onSuccess: (_: unknown, step?: string) => void calls.push(`success ${step}`),
  };
  engine
    .define({ id: "node", hooks })
    .if(() => true)
    .cancel("the node says so")
    .endIf()
    .step("never", () => calls.push("never"));
  engine
    .define({ id: "handler", hooks })
    .step("x", (ctx) => ctx.cancel("the handler says so"))
    .onError(() => calls.push("onError"))
    .step("never", () => calls.push("never"));
  engine
    .define({ id: "branch", hooks })
    .parallel([(ctx) => ctx.cancel(), (flow) => flow.sleep("1d")])
    .onError(() => calls.push("onError"));
  await engine.start();
  for (const [id, message] of [
    ["node", "the node says so"],
    ["handler", "the handler says so"],
    ["branch", "the run was cancelled"],
  ] as const) {
    const error = await failure(engine.execute(id));
    expect(error).toMatchObject({ status: "cancelled", error: { message: expect.stringContaining(message) } });
  }
  expect(calls).toEqual([]);
});

test("cancelRun aborts every handler that executes", async () => {
  const engine = testEngine();
  const aborted: string[] = [];
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const hangs = (begun: () => void, name: string) => (ctx: { signal: AbortSignal }) => {
    ctx.signal.addEventListener("abort", () => aborted.push(name));
    begun();
    return new Promise(() => {});
  };
  engine.define({ id: "hangs" }).parallel([hangs(one.resolve, "a"), hangs(two.resolve, "b")]);
  await engine.start();
  const runId = await engine.trigger("hangs");
  await Promise.all([one.promise, two.promise]);
  await engine.cancelRun(runId);
  await engine.result(runId).catch(() => {});
  expect(aborted.sort()).toEqual(["a", "b"]);
});
