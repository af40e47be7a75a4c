/** Loops, as users see them, and what of them survives a restart. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, RunError } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** Why a run did not complete. */
async function failure(result: Promise<unknown>): Promise<RunError> {
  const error = await result.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(RunError);
  return error;
}

test("while repeats its body as long as the condition holds, and gives what the last repetition gave", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "loops" })
    .step("start", () => 1)
    .while(
      "double",
      (ctx) => ctx.last < 100,
      (ctx) => ctx.last * 2,
    )
    .while(
      "flows",
      async (ctx) => ctx.last < 131,
      (flow) => flow.step("plus", (ctx) => ctx.last + 1).action("see", () => "dropped"),
    )
    .while(
      "never",
      () => false,
      () => 0,
    )
    .step("end", (ctx) => [ctx.last, ctx.steps.double.output, "plus" in ctx.steps]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([131, 128, false]);
  const { attempts } = await engine.inspect((await engine.list()).runs[0]?.runId as string);
  expect(attempts.filter(({ step }) => step === "plus").map(({ scope }) => scope)).toEqual(["0", "1", "2"]);
});

test("a while that does not end fails after maxIterations", async () => {
  const engine = testEngine();
  let calls = 0;
  engine.define({ id: "endless" }).while(
    "loop",
    () => true,
    () => {
      calls += 1;
    },
    { maxIterations: 3 },
  );
  await engine.start();
  expect((await failure(engine.execute("endless"))).error).toMatchObject({ code: "too_many_iterations" });
  expect(calls).toBe(3);
});

test("handlers of a forEach see the item in ctx and in their closure, and its results are in item order", async () => {
  const engine = testEngine();
  const all = Promise.withResolvers<void>();
  let executing = 0;
  const workflow = engine
    .define({ id: "each" })
    .step("prefix", () => "n")
    .forEach(
      "items",
      [{ n: 3, at: new Date(0) }, { n: 2 }, { n: 1 }],
      (item, flow) =>
        flow
          .step("first", async (ctx) => {
            executing += 1;
            if (executing === 3) all.resolve();
            await all.promise;
            return [ctx.last ?? "begins with nothing", ctx.item.n === item.n, typeof item.at, ctx.index];
          })
          .step("second", (ctx) => [ctx.steps.prefix.output + item.n, ...ctx.last]),
      { concurrency: 3 },
    )
    .step("end", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([
    ["n3", "begins with nothing", true, "string", 0],
    ["n2", "begins with nothing", true, "undefined", 1],
    ["n1", "begins with nothing", true, "undefined", 2],
  ]);
});

test("forEach does no more items at the same time than it may, and all in the end", async () => {
  const engine = testEngine();
  let [executing, most] = [0, 0];
  const each = async (): Promise<void> => {
    executing += 1;
    most = Math.max(most, executing);
    await Promise.resolve();
    executing -= 1;
  };
  const items = Array.from({ length: 50 }, (_, index) => index);
  engine.define({ id: "four" }).forEach("l", items, (_, flow) => flow.step("x", each), { concurrency: 4 });
  engine.define({ id: "one" }).forEach("l", items, (_, flow) => flow.step("x", each));
  await engine.start();
  expect(await engine.execute("four")).toHaveLength(50);
  expect(most).toBe(4);
  most = 0;
  await engine.execute("one");
  expect(most).toBe(1);
});

test("loops in loops: ctx.item is the innermost, closures see all, results are nested", async () => {
  const engine = testEngine();
  const workflow = engine.define({ id: "nested" }).forEach(
    "rows",
    () => [["a", "b"], ["c"], []],
    (row, flow) =>
      flow.forEach(
        "cells",
        () => row,
        (cell, inner) => inner.step("cell", (ctx) => `${ctx.item}${cell}${row.length}${ctx.index}`),
      ),
    { concurrency: 2 },
  );
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([["aa20", "bb21"], ["cc10"], []]);
});

test("a loop in an item keeps its items while another item waits and goes on", async () => {
  const engine = testEngine();
  const goneOn = Promise.withResolvers<void>();
  const workflow = engine.define({ id: "beside" }).forEach(
    "outer",
    ["sleeps", "asks"],
    (item, flow) =>
      flow
        .if(() => item === "sleeps")
        .sleep(1)
        .step("woke", () => goneOn.resolve())
        .endIf()
        .forEach(
          "inner",
          async () => {
            if (item === "asks") await goneOn.promise;
            return [1, 2];
          },
          (number, inner) => inner.step("x", (ctx) => [number, ctx.item]),
        ),
    { concurrency: 2 },
  );
  await engine.start();
  const each = [
    [1, 1],
    [2, 2],
  ];
  expect(await engine.execute(workflow, undefined)).toEqual([each, each]);
});

test("batch gives its body so many items at a time", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "batches" })
    .batch("b", { items: () => [1, 2, 3, 4, 5], size: 2 }, (batch, flow) =>
      flow.step("x", (ctx) => [ctx.batch, batch, ctx.index] as const),
    );
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([
    [[1, 2], [1, 2], 0],
    [[3, 4], [3, 4], 1],
    [[5], [5], 2],
  ]);
});

test.each([
  ["text", "not an array"],
  [{ length: 2 }, "an object"],
  [undefined, "nothing"],
])("items that are %p are refused", async (items) => {
  const engine = testEngine();
  engine.define({ id: "items" }).forEach(
    "l",
    () => items as unknown as number[],
    (_, flow) => flow.step("x", () => 1),
  );
  await engine.start();
  const { error } = await failure(engine.execute("items"));
  expect(error).toMatchObject({ code: "items_invalid", message: expect.stringContaining("an array") });
});

test("100,001 items are refused, and no items are no work", async () => {
  const engine = testEngine();
  const counts = (count: number) => () => new Array<number>(count).fill(0);
  engine.define({ id: "many" }).forEach("l", counts(100_001), (_, flow) => flow.step("x", () => 1));
  engine.define({ id: "none" }).forEach("l", counts(0), (_, flow) => flow.step("x", () => 1));
  await engine.start();
  const { error } = await failure(engine.execute("many"));
  expect(error).toMatchObject({ code: "too_many_items", message: expect.stringContaining("100001") });
  expect(await engine.execute("none")).toEqual([]);
});

test("an item that fails makes the loop fail without beginning others; onError saves the loop", async () => {
  const engine = testEngine();
  const seen: number[] = [];
  const workflow = engine
    .define({ id: "bad" })
    .forEach("l", [1, 2, 3], (item, flow) =>
      flow.step("x", () => {
        seen.push(item);
        if (item === 2) throw new Error(`no ${item}`);
        return item;
      }),
    )
    .onError((ctx) => ctx.error.message);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe("no 2");
  expect(seen).toEqual([1, 2]);
});

test("a body that builds a different shape is an error: at definition if it shows, else when the item is there", async () => {
  const engine = testEngine();
  expect(() =>
    engine.define({ id: "shown" }).forEach("l", [1], (item, flow) => flow.step(`x-${item}`, () => 1)),
  ).toThrow("builds a different shape");
  const other = testEngine();
  other.define({ id: "hidden" }).forEach("l", ["even", "odd"], (item, flow) => {
    const built = flow.step("x", () => item);
    return item === "odd" ? built.step("more", () => item) : built;
  });
  await other.start();
  const { error } = await failure(other.execute("hidden"));
  expect(error.message).toContain("builds a different shape");
  expect(error.message).toContain("`more`");
});

test("after a restart only the unfinished items run, with the items and decisions that were recorded", async () => {
  const database = join(temporaryDirectory(), "loop.db");
  const calls: string[] = [];
  const { promise: stuck, resolve: isStuck } = Promise.withResolvers<void>();
  const define = (engine: Cronflow, life: number) =>
    engine
      .define({ id: "loop" })
      .if("chooses", () => {
        calls.push(`condition in life ${life}`);
        return life === 1;
      })
      .forEach(
        "l",
        () => {
          calls.push(`items in life ${life}`);
          return life === 1 ? [10, 20, 30, 40] : [];
        },
        (item, flow) =>
          flow.step("x", async () => {
            if (life === 1 && item === 30) {
              isStuck();
              await new Promise(() => {});
            }
            calls.push(`${item} in life ${life}`);
            return item + life;
          }),
      )
      .endIf();
  const before = testEngine({ database });
  define(before, 1);
  await before.start();
  const runId = await before.trigger("loop");
  await stuck;
  await before.stop({ timeout: 0 });
  const after = testEngine({ database });
  define(after, 2);
  await after.start();
  expect(await after.result(runId)).toEqual([11, 21, 32, 42]);
  expect(calls).toEqual([
    "condition in life 1",
    "items in life 1",
    "10 in life 1",
    "20 in life 1",
    "30 in life 2",
    "40 in life 2",
  ]);
});
