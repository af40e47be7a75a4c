/** The order example, tested: a bank that does not answer, webhooks that come twice, a process that dies anywhere. */
import { expect, test } from "bun:test";
import { generatePayload, testApp } from "cronflow-ffi/testing";
import { z } from "zod";
import { orders } from "./orders.ts";

const quiet = { log: { ...console, info() {}, error() {} } };
const order = { orderId: "A-1", amount: 20 };

test("an order is charged and shipped", async () => {
  const { steps } = await orders.test(quiet).trigger(order).expectRun().toComplete().run();
  expect(steps.ship.output).toBe("order A-1 leaves Ghent");
});

test("a large order is tried again until the bank answers", async () => {
  await orders
    .test(quiet)
    .mockStep("reserve", { warehouse: "Lyon" })
    .trigger({ ...order, amount: 200 })
    .expectStep("charge")
    .toHaveBeenCalledTimes(1)
    .expectRun()
    .toWait()
    .advance("200ms")
    .expectStep("charge")
    .toHaveBeenCalledTimes(2)
    .expectStep("ship")
    .toHaveOutput("order A-1 leaves Lyon")
    .run();
});

test("a bank that never answers fails the order after five attempts", async () => {
  const result = await orders
    .test(quiet)
    .mockStep("reserve", { warehouse: "Ghent" })
    .mockStep("charge", () => {
      throw new Error("the bank does not answer");
    })
    .trigger(order)
    .advance("1m")
    .expectStep("charge")
    .toHaveBeenCalledTimes(5)
    .expectStep("ship")
    .toBeSkipped()
    .expectRun()
    .toFailWith("the bank does not answer")
    .run();
  // 200 ms, doubled each time.
  const times = result.history.filter(({ step }) => step === "charge").map(({ finishedAt }) => Number(finishedAt));
  expect(times.map((time) => time - (times[0] as number))).toEqual([0, 200, 600, 1_400, 3_000]);
});

test("wherever the process dies, the order comes to the same end", async () => {
  await orders
    .test(quiet)
    .mockStep("reserve", { warehouse: "Ghent" })
    .mockStep("charge", (ctx) => ({ charged: 20, key: ctx.idempotencyKey }))
    .mockStep("ship", "shipped")
    .trigger(order)
    .expectRun()
    .toCompleteWith("shipped")
    .runWithCrashes();
});

test("a webhook that comes twice is one order", async () => {
  await using app = testApp([orders], quiet);
  const send = (body: object) =>
    app.fetch("/webhooks/orders", {
      method: "POST",
      headers: { "content-type": "application/json", "x-idempotency-key": "key-1" },
      body: JSON.stringify(body),
    });
  const [first, second] = [await send(order), await send(order)];
  expect([first.status, second.status]).toEqual([202, 200]);
  expect(await second.json()).toEqual(await first.json());
  expect((await send({ ...order, amount: 21 })).status).toBe(409);
  expect((await send({ ...order, amount: -1 })).status).toBe(400);
  expect(await app.runs(orders)).toHaveLength(1);
});

test.each([1, 2, 3])("any order that the schema takes is shipped: seed %d", async (seed) => {
  const schema = z.object({ orderId: z.string(), amount: z.number().positive().max(100) });
  const payload = generatePayload(schema, { seed });
  await orders
    .test(quiet)
    .mockStep("reserve", { warehouse: "Ghent" })
    .mockStep("charge", (ctx) => ({ charged: payload.amount, key: ctx.idempotencyKey }))
    .trigger(payload)
    .expectRun()
    .toCompleteWith(`order ${payload.orderId} leaves Ghent`)
    .run();
});
