/** What a handler sees of its run, from wherever in the loops it is called. */
import { expect, test } from "bun:test";
import { Workflow } from "./builder/workflow.ts";
import { AttemptContext, type AttemptMessage, type ContextServices, type State } from "./context.ts";
import { Definition } from "./definition.ts";
import { CancelSignal } from "./errors.ts";
import type { RunMemory } from "./memory.ts";
import type { GlobalServices } from "./services/global.ts";

const definition = new Workflow(new Definition({ id: "w", name: "W", tags: ["a"] }))
  .step("first", () => 1)
  .forEach("outer", [1], (_item, flow) =>
    flow
      .step("before", () => 1)
      .batch("inner", { items: [1], size: 2 }, (_batch, inner) =>
        inner
          .step("deep", () => 1)
          .while(
            "loop",
            () => false,
            (body) => body.step("deepest", () => 1),
          ),
      ),
  )
  .forEach("other", [1], (_item, flow) => flow.step("elsewhere", () => 1))
  .humanInTheLoop({ name: "ok", approvalUrl: (token) => `/${token}` }).definition;

const NO_SERVICES: ContextServices = { of: () => ({}) as GlobalServices, secretsOf: () => ({}) };

function contextOf(step: string, message: Partial<AttemptMessage>, outputs: Record<string, string | undefined> = {}) {
  const memory: RunMemory = {
    runId: "run_1",
    workflowId: "w",
    version: undefined,
    definition: undefined,
    createdAtMs: 0,
    payload: '{"n":1}',
    trigger: undefined,
    outputs: new Map(Object.entries(outputs)),
    bodies: new Map(),
  };
  const parts = { memory, definition, state: {} as State, log: console, services: NO_SERVICES };
  return new AttemptContext({ ...parts, node: definition.node(step), message: { step, attempt: 1, ...message } });
}

test("`last` is the output the core names, decoded once per attempt", () => {
  const context = contextOf("first", { last: "before@3" }, { "before@3": '{"a":1}' });
  expect(context.last).toEqual({ a: 1 });
  expect(context.last).toBe(context.last);
  expect(contextOf("first", {}).last).toBeUndefined();
});

test("steps are those outside of loops, and those of the same iterations", () => {
  const outputs = {
    first: "1",
    outer: "[]",
    "outer:items": "[0]",
    "before@2": "2",
    "before@3": "3",
    "deep@2.0": "20",
    "deep@3.1": "31",
    "deepest@3.1.4": "314",
    "elsewhere@3": "0",
  };
  const { steps } = contextOf("deepest", { scope: "3.1.5" }, outputs);
  expect(Object.keys(steps)).toEqual(["first", "outer", "before", "deep"]);
  expect(steps["before"]?.output).toBe(3);
  expect(steps["deep"]?.output).toBe(31);
  expect(steps["deepest"]).toBeUndefined();
  expect(steps["elsewhere"]).toBeUndefined();
  expect("first" in steps).toBe(true);
  expect("outer:items" in steps).toBe(false);
  expect(JSON.stringify(steps)).toBe(
    '{"first":{"output":1},"outer":{"output":[]},"before":{"output":3},"deep":{"output":31}}',
  );
  expect(Object.keys(contextOf("first", {}, outputs).steps)).toEqual(["first", "outer"]);
});

test("a step's output is decoded once, and what the handler changes it sees", () => {
  const { steps } = contextOf("first", {}, { first: '{"list":[]}' });
  const { list } = (steps["first"] as { output: { list: number[] } }).output;
  list.push(1);
  expect(steps["first"]?.output).toEqual({ list: [1] });
});

test("item, index and batch are those of the innermost forEach or batch", () => {
  const outputs = { "outer:items": '["a","b"]', "inner@1:items": "[1,2,3,4,5]" };
  const item = contextOf("before", { scope: "1" }, outputs);
  expect([item.item, item.index, item.batch]).toEqual(["b", 1, undefined]);
  const batch = contextOf("deep", { scope: "1.2" }, outputs);
  expect([batch.item, batch.index, batch.batch]).toEqual([undefined, 2, [5]]);
  const inWhile = contextOf("deepest", { scope: "1.1.7" }, outputs);
  expect([inWhile.item, inWhile.index, inWhile.batch]).toEqual([undefined, 1, [3, 4]]);
  // The node of a loop stands outside of it.
  expect(contextOf("inner", { scope: "0" }, outputs).item).toBe("a");
  const outside = contextOf("first", {}, outputs);
  expect([outside.item, outside.index, outside.batch]).toEqual([undefined, undefined, undefined]);
});

test("every iteration has its own idempotency key, the same for each attempt", () => {
  expect(contextOf("first", {}).idempotencyKey).toBe("run_1:first");
  expect(contextOf("deep", { scope: "1.2", attempt: 3 }).idempotencyKey).toBe("run_1:deep@1.2");
});

test("cancel throws what ends the run, with its reason", () => {
  const { cancel } = contextOf("first", {});
  expect(() => cancel("enough")).toThrow(CancelSignal);
  expect(() => cancel("enough")).toThrow("enough");
});

test("meta is what the workflow says of itself, the approval's address comes with the token", () => {
  const context = contextOf("ok", { handler: "on_pause", token: "t" });
  expect(context.meta).toEqual({ name: "W", tags: ["a"] });
  expect(context.approvalUrl).toBe("/t");
  expect(contextOf("ok", {}).approvalUrl).toBeUndefined();
});
