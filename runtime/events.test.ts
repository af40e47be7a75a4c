import { expect, test } from "bun:test";
import { z } from "zod";
import { testEngine } from "./testing/engines.ts";

const order = z.object({ id: z.string(), total: z.coerce.number() });

test("an event starts each workflow that listens once, with what its schema gives, and is told to runs that wait", async () => {
  const engine = testEngine();
  engine
    .define({ id: "mail" })
    .onEvent("order.paid", { schema: order })
    .step("send", (ctx) => `${ctx.payload.id}: ${ctx.payload.total + 1}`);
  engine
    .define({ id: "stock" })
    .onEvent("order.paid", { filter: (event) => (event as { total: number }).total > 100 })
    .onEvent("order.paid")
    .step("count", (ctx) => ctx.trigger);
  engine
    .define({ id: "other" })
    .onEvent("order.sent")
    .step("never", () => 1);
  const waiting = engine
    .define({ id: "waiting" })
    .manual()
    .waitForEvent("order.paid")
    .step("seen", (ctx) => ctx.last);
  await engine.start();
  const run = engine.execute(waiting, undefined);
  await untilWaiting(engine, "waiting");
  const { runIds, refused } = await engine.publishEvent("order.paid", { id: "a", total: "7" });
  expect(refused).toEqual([]);
  expect(await Promise.all(runIds.map((runId) => engine.result(runId)))).toEqual([
    "a: 8",
    { type: "event", event: "order.paid" },
  ]);
  expect(await run).toMatchObject({ id: "a", total: "7" });
  expect((await engine.list()).runs).toHaveLength(3);
});

test("a workflow whose schema or filter cannot take an event is left out, and the others are started", async () => {
  const engine = testEngine();
  engine
    .define({ id: "strict" })
    .onEvent("e", { schema: order })
    .step("never", () => 1);
  engine
    .define({ id: "broken" })
    .onEvent("e", {
      filter: () => {
        throw new Error("no such field");
      },
    })
    .step("never", () => 1);
  engine
    .define({ id: "picky" })
    .onEvent("e", { filter: () => false })
    .step("never", () => 1);
  engine
    .define({ id: "glad" })
    .onEvent("e")
    .step("echo", (ctx) => ctx.payload);
  await engine.start();
  const { runIds, refused } = await engine.emit("e", { total: 1 });
  expect(refused.map(({ workflowId }) => workflowId)).toEqual(["strict", "broken"]);
  expect(refused[0]?.message).toContain("$.id");
  expect(refused[1]?.message).toBe("no such field");
  expect(await Promise.all(runIds.map((runId) => engine.result(runId)))).toEqual([{ total: 1 }]);
});

test("an event without a payload starts runs without one", async () => {
  const engine = testEngine();
  engine
    .define({ id: "a" })
    .onEvent("e")
    .step("kind", (ctx) => typeof ctx.payload);
  await engine.start();
  const { runIds } = await engine.publishEvent("e");
  expect(await engine.result(runIds[0] as string)).toBe("undefined");
});

/** Asks until a run of the workflow waits. */
async function untilWaiting(engine: ReturnType<typeof testEngine>, workflowId: string): Promise<void> {
  while ((await engine.list({ workflowId, status: "waiting" })).runs.length === 0);
}
