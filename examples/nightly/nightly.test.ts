/** The nightly job, tested: every account once, whatever happens in between. */
import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { replayRecorded, testApp } from "cronflow-ffi/testing";
import { type Account, defineNightly } from "./nightly.ts";

const day = "2026-01-31";

/** A bank with accounts of 1,000, 2,000, … cents, that books once per key. */
function bank(count: number) {
  const booked = new Map<string, number>();
  const accounts = Array.from({ length: count }, (_, id): Account => ({ id, cents: (id + 1) * 1_000 }));
  const workflow = defineNightly(createCronflow(), {
    accounts: async () => accounts,
    book: async (_id, cents, key) => void booked.set(key, cents),
  });
  const sum = (): number => [...booked.values()].reduce((total, cents) => total + cents, 0);
  return { workflow, booked, sum };
}

test("every account gets its interest, and the report says how much", async () => {
  const { workflow, booked } = bank(250);
  await workflow
    .test()
    .trigger({ day })
    .expectStep("interest")
    .toHaveBeenCalledTimes(250)
    .expectStep("interest@249")
    .toHaveOutput(250)
    .expectRun()
    .toCompleteWith({ day, accounts: 250, cents: (250 * 251) / 2 })
    .run();
  expect(booked.size).toBe(250);
});

test("an account that fails is tried again, and the others do not wait", async () => {
  const { workflow, sum } = bank(3);
  await workflow
    .test()
    .mockStep("interest", (ctx) => {
      if (ctx.index === 1 && ctx.attempt < 3) throw new Error("locked");
      return 10;
    })
    .trigger({ day })
    .expectStep("interest@2")
    .toSucceed()
    .advance("3s")
    .expectStep("interest@1")
    .toHaveBeenCalledTimes(3)
    .expectRun()
    .toCompleteWith({ day, accounts: 3, cents: 30 })
    .run();
  expect(sum()).toBe(0);
});

test("wherever the process dies, everybody is booked once", async () => {
  const { workflow, booked, sum } = bank(4);
  await workflow
    .test()
    .trigger({ day })
    .runWithCrashes({ beforeEach: () => booked.clear() });
  expect(sum()).toBe(1 + 2 + 3 + 4);
});

test("one night at a time", async () => {
  const { workflow } = bank(1);
  await using app = testApp([workflow]);
  await Promise.all([app.trigger(workflow, { day }), app.trigger(workflow, { day: "2026-02-01" })]);
  expect((await app.runs()).map(({ status }) => status)).toEqual(["completed", "completed"]);
});

test("code that counts otherwise is found by a recorded night", async () => {
  const { workflow } = bank(2);
  await using app = testApp([workflow]);
  const record = await app.inspect(await app.trigger(workflow, { day }));
  expect((await replayRecorded(record, workflow)).matches).toBeTrue();
  expect((await replayRecorded(record, bank(3).workflow)).matches).toBeTrue(); // Accounts are what was recorded.
  const { difference } = await replayRecorded(
    record,
    createCronflow()
      .define({ id: "nightly" })
      .manual()
      .step("accounts", (): Account[] => [])
      .forEach(
        "each",
        (ctx) => ctx.last.slice(1),
        (account, flow) => flow.step("interest", () => account.cents),
      ),
  );
  expect(difference?.path).toBe("each (items)");
});
