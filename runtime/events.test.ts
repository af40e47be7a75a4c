import { expect, test } from "bun:test";
import { secret } from "cronflow-ffi";
import { z } from "zod";
import { recordingLog } from "./http/webhook/webhook.testing.ts";
import { LIMITS } from "./native/generated.ts";
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

const KEYS: Readonly<Record<string, readonly [key: (payload: { tenant: string }) => string, message: string]>> = {
  "gives none": [({ tenant }) => tenant, "gave undefined instead of a text"],
  throws: [({ tenant }) => tenant.trim(), "threw: "],
  "gives one that is too long": [() => "x".repeat(513), "gave a text of 513 bytes; a key has at most 512"],
  "gives a secret": [() => SECRET, "it has the value of secret(env:CRONFLOW_TEST_EVENT) in it"],
};
const SECRET = `event-${crypto.randomUUID()}`;
process.env["CRONFLOW_TEST_EVENT"] = SECRET;

test.each(Object.entries(KEYS))("a workflow whose limit's key %s is left out", async (_what, [key, message]) => {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log });
  const secrets = { key: secret("env:CRONFLOW_TEST_EVENT") };
  engine
    .define({ id: "at-once", concurrency: { limit: 1, key }, secrets })
    .onEvent("e")
    .step("never", () => 1);
  engine
    .define({ id: "often", rateLimit: { count: 1, per: "1s", key } })
    .onEvent("e")
    .step("never", () => 1);
  engine
    .define({ id: "glad" })
    .onEvent("e")
    .step("echo", (ctx) => ctx.payload);
  const waiting = engine
    .define({ id: "waiting" })
    .manual()
    .waitForEvent("e")
    .step("seen", (ctx) => ctx.last);
  await engine.start();
  const run = engine.execute(waiting, undefined);
  await untilWaiting(engine, "waiting");
  const { runIds, refused } = await engine.publishEvent("e", { a: 1 });
  expect(await Promise.all(runIds.map((runId) => engine.result(runId)))).toEqual([{ a: 1 }]);
  expect(await run).toEqual({ a: 1 });
  expect(refused.map(({ workflowId }) => workflowId)).toEqual(["at-once", "often"]);
  for (const { message: told } of refused) expect(told).toContain(message);
  expect(lines.filter((line) => line.startsWith('warn event "e" starts no run of workflow `'))).toHaveLength(2);
  expect(lines.join()).not.toContain(SECRET);
});

test("a workflow whose schema makes more of an event than can be recorded is left out", async () => {
  const engine = testEngine();
  engine
    .define({ id: "more" })
    .onEvent("e", { schema: z.string().transform((text) => text.repeat(LIMITS.VALUE_BYTES / 3)) })
    .step("never", () => 1);
  engine
    .define({ id: "glad" })
    .onEvent("e")
    .step("echo", (ctx) => ctx.payload);
  await engine.start();
  const { runIds, refused } = await engine.publishEvent("e", "€");
  expect(refused).toEqual([{ workflowId: "more", message: expect.stringContaining("has 4194") }]);
  expect(await Promise.all(runIds.map((runId) => engine.result(runId)))).toEqual(["€"]);
  await expect(engine.publishEvent("e", "€".repeat(LIMITS.VALUE_BYTES / 3))).rejects.toMatchObject({
    code: "value_too_large",
  });
});

/** Asks until a run of the workflow waits. */
async function untilWaiting(engine: ReturnType<typeof testEngine>, workflowId: string): Promise<void> {
  while ((await engine.list({ workflowId, status: "waiting" })).runs.length === 0);
}
