/** Payments, tested: nothing is charged twice, and what cannot be sent is given back. */
import { beforeEach, expect, test } from "bun:test";
import { createCronflow, NonRetryableError } from "cronflow-ffi";
import { definePayments, type Provider } from "./payments.ts";

/** A provider in the test: what it has done under a key it does not do again. */
const world = {
  done: new Map<string, unknown>(),
  charged: 0,
  refunded: 0,
  risk: 0.1,
  stock: 5,
  receipts: [] as string[],
  ship: async (): Promise<void> => {},
};

function clear(): void {
  world.done.clear();
  world.receipts.length = 0;
  Object.assign(world, { charged: 0, refunded: 0, risk: 0.1, stock: 5, ship: async () => {} });
}
beforeEach(clear);

function once<T>(key: string, work: () => T): T {
  if (!world.done.has(key)) world.done.set(key, work());
  return world.done.get(key) as T;
}

const provider: Provider = {
  risk: async () => world.risk,
  stock: async () => world.stock,
  charge: async (amount, key) =>
    once(key, () => {
      world.charged += amount;
      return { chargeId: `charge of ${amount}` };
    }),
  refund: async (_chargeId, key) =>
    once(key, () => {
      world.refunded += 1;
    }),
  ship: () => world.ship(),
  receipt: async (paymentId, text, key) => once(key, () => void world.receipts.push(`${paymentId}: ${text}`)),
};

const payments = definePayments(createCronflow(), provider);
const payment = { paymentId: "P-1", card: "good", product: "book", amount: 30 };

test("a payment is charged once and sent", async () => {
  await payments.test().trigger(payment).expectRun().toCompleteWith("paid and sent").run();
  expect(world).toMatchObject({ charged: 30, refunded: 0, receipts: ["P-1: paid and sent"] });
});

test.each([
  ["the card is not trusted", 0.9, 5],
  ["sold out", 0.1, 0],
] as const)("nothing is charged when %s", async (why, risk, stock) => {
  Object.assign(world, { risk, stock });
  await payments
    .test()
    .trigger(payment)
    .expectStep("why")
    .toHaveOutput(why)
    .expectStep("charge")
    .toBeSkipped()
    .expectStep("receipt")
    .toSucceed()
    .run();
  expect(world.charged).toBe(0);
});

test("what cannot be sent is given back after two attempts", async () => {
  world.ship = () => Promise.reject(new Error("the piano does not fit"));
  await payments
    .test()
    .trigger(payment)
    .advance("1m")
    .expectStep("ship")
    .toHaveBeenCalledTimes(2)
    .expectStep("ship")
    .toFailWith("the piano does not fit")
    .expectStep("refund")
    .toSucceed()
    .expectRun()
    .toCompleteWith("refunded: the piano does not fit")
    .run();
  expect(world).toMatchObject({ charged: 30, refunded: 1 });
});

test("a bank that says no for good ends the payment", async () => {
  await payments
    .test()
    .mockStep("charge", () => {
      throw new NonRetryableError("the account is closed");
    })
    .trigger(payment)
    .expectStep("charge")
    .toHaveBeenCalledTimes(1)
    .expectRun()
    .toFailWith(NonRetryableError)
    .run();
});

test("wherever the process dies, the card is charged once", async () => {
  await payments
    .test()
    .trigger(payment)
    .expectRun()
    .toCompleteWith("paid and sent")
    .runWithCrashes({
      beforeEach: clear,
      afterEach: () => expect(world).toMatchObject({ charged: 30, refunded: 0, receipts: ["P-1: paid and sent"] }),
    });
});

test("wherever the process dies, what cannot be sent is given back once", async () => {
  await payments
    .test()
    .trigger(payment)
    .advance("1m")
    .expectRun()
    .toCompleteWith("refunded: lost")
    .runWithCrashes({
      beforeEach: () => {
        clear();
        world.ship = () => Promise.reject(new Error("lost"));
      },
      afterEach: () => expect(world).toMatchObject({ charged: 30, refunded: 1 }),
    });
});
