/** Each expectation, met and not met: what it says then. */
import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { ExpectationError, never } from "cronflow-ffi/testing";
import { z } from "zod";

class CardError extends Error {
  override readonly name = "CardError";
}

const orders = createCronflow()
  .define({ id: "orders" })
  .manual({ schema: z.object({ amount: z.number() }) })
  .step("validate", (ctx) => ctx.payload.amount)
  .step("charge", (ctx) => {
    if (ctx.last > 100) throw new CardError("card declined");
    return { charged: ctx.last };
  })
  .retry({ attempts: 3, backoff: { strategy: "fixed", delay: "1m" } })
  .if("large", (ctx) => ctx.last.charged > 50)
  .step("gift", () => "a pen")
  .endIf()
  .action("mail", () => undefined);

const small = () => orders.test().trigger({ amount: 20 });
const declined = () => orders.test().trigger({ amount: 200 }).advance("2m");

/** What an expectation that is not met says. */
async function said(test: { run(): Promise<unknown> }): Promise<string> {
  const error = await test.run().then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(ExpectationError);
  return error.message;
}

/** The first line of it. */
async function said1(test: { run(): Promise<unknown> }): Promise<string> {
  return (await said(test)).split("\n")[0] as string;
}

test("toSucceed", async () => {
  await small().expectStep("charge").toSucceed().run();
  expect(await said(declined().expectStep("charge").toSucceed())).toBe(
    [
      "expected step `charge` to succeed, but it failed after 3 attempts: CardError: card declined.",
      "",
      "The run of `orders` failed: CardError: card declined.",
      "Steps reached:",
      "  validate  succeeded",
      "  charge    failed after 3 attempts: CardError: card declined",
    ].join("\n"),
  );
});

test("toFail", async () => {
  await declined().expectStep("charge").toFail().run();
  expect(await said1(small().expectStep("charge").toFail())).toBe("expected step `charge` to fail, but it succeeded.");
});

test("toFailWith takes a part of the message, a pattern or a class", async () => {
  await declined()
    .expectStep("charge")
    .toFailWith("declined")
    .expectStep("charge")
    .toFailWith(/^card \w+$/g)
    .expectStep("charge")
    .toFailWith(CardError)
    .run();
  const begin = "expected step `charge` to fail with";
  const end = "but it failed after 3 attempts: CardError: card declined.";
  expect(await said1(declined().expectStep("charge").toFailWith("expired"))).toBe(`${begin} "expired", ${end}`);
  expect(
    await said1(
      declined()
        .expectStep("charge")
        .toFailWith(/expired/),
    ),
  ).toBe(`${begin} /expired/, ${end}`);
  expect(await said1(declined().expectStep("charge").toFailWith(TypeError))).toBe(`${begin} TypeError, ${end}`);
  expect(await said1(small().expectStep("charge").toFailWith("x"))).toBe(`${begin} "x", but it succeeded.`);
});

test("toBeSkipped", async () => {
  await small().expectStep("gift").toBeSkipped().run();
  await declined().expectStep("mail").toBeSkipped().run();
  expect(await said1(small().expectStep("charge").toBeSkipped())).toBe(
    "expected step `charge` to be skipped, but it succeeded.",
  );
  // What may still come is not skipped.
  const waiting = orders.test().trigger({ amount: 200 });
  expect(await said(waiting.expectStep("mail").toBeSkipped())).toBe(
    [
      "expected step `mail` to be skipped, but it has not been reached.",
      "",
      "The run of `orders` waits.",
      "Steps reached:",
      "  validate  succeeded",
      "  charge    waits after an attempt: CardError: card declined",
      'It waits: attempt 2 of `charge` waits until 2026-01-01T00:01:00.000Z: write `.advance("1m")`.',
    ].join("\n"),
  );
});

test("toHaveBeenCalledTimes", async () => {
  await declined().expectStep("charge").toHaveBeenCalledTimes(3).expectStep("mail").toHaveBeenCalledTimes(0).run();
  expect(await said1(declined().expectStep("charge").toHaveBeenCalledTimes(1))).toBe(
    "expected step `charge` to have been called once, but it was called 3 times, and failed after 3 attempts: CardError: card declined.",
  );
});

test("toHaveOutput", async () => {
  await small().expectStep("charge").toHaveOutput({ charged: 20 }).run();
  expect(await said1(small().expectStep("charge").toHaveOutput({ charged: 21 }))).toBe(
    'expected step `charge` to have the output {"charged":21}, but it has {"charged":20}.',
  );
  expect(await said1(declined().expectStep("charge").toHaveOutput({ charged: 200 }))).toStartWith(
    'expected step `charge` to have the output {"charged":200}, but it failed after 3 attempts',
  );
});

test("expectRun", async () => {
  await small().expectRun().toComplete().expectRun().toCompleteWith({ charged: 20 }).run();
  await declined().expectRun().toFail().expectRun().toFailWith(CardError).run();
  await orders.test().trigger({ amount: 200 }).expectRun().toWait().run();
  expect(await said1(declined().expectRun().toComplete())).toBe(
    "expected the run to complete, but it failed: CardError: card declined.",
  );
  expect(await said1(small().expectRun().toCompleteWith({ charged: 1 }))).toBe(
    'expected the run to complete with {"charged":1}, but it completed with {"charged":20}.',
  );
  expect(await said1(small().expectRun().toFail())).toBe(
    'expected the run to fail, but it completed with {"charged":20}.',
  );
  expect(await said1(declined().expectRun().toFailWith("expired"))).toBe(
    'expected the run to fail with "expired", but it failed: CardError: card declined.',
  );
  expect(await said1(small().expectRun().toBeCancelled())).toBe(
    'expected the run to be cancelled, but it completed with {"charged":20}.',
  );
  expect(await said1(small().expectRun().toWait())).toBe(
    'expected the run to wait, but it completed with {"charged":20}.',
  );
});

test("a run that is cancelled says why", async () => {
  const workflow = createCronflow().define({ id: "stop" }).manual().cancel("sold out");
  await workflow.test().trigger().expectRun().toBeCancelled().run();
  expect(await said1(workflow.test().trigger().expectRun().toComplete())).toBe(
    "expected the run to complete, but it was cancelled: sold out.",
  );
});

const flow = createCronflow()
  .define({ id: "waits" })
  .manual()
  .sleepUntil("2026-01-02T12:00:00Z", { name: "nap" })
  .waitForEvent("paid", { name: "payment", timeout: "90m" })
  .humanInTheLoop({ name: "release" })
  .step("ship", () => "shipped")
  .timeout("30s")
  .delay("5s");

test("a run that waits says for what, and what to write", async () => {
  const waits = async (test: { run(): Promise<{ waits: readonly string[] }> }): Promise<readonly string[]> =>
    (await test.run()).waits;
  expect(await waits(flow.test().trigger())).toEqual([
    '`nap` sleeps until 2026-01-02T12:00:00.000Z: write `.advance("1d12h")`.',
  ]);
  expect(await waits(flow.test().trigger().advance("36h"))).toEqual([
    '`payment` waits for the event `paid` until 2026-01-02T13:30:00.000Z: write `.mockEvent("paid", …)`, or `.advance("1h30m")` for its time-out.',
  ]);
  expect(await waits(flow.test().trigger().advance("38h"))).toEqual([
    "`release` waits for a person: write `.approve()` or `.reject()`.",
  ]);
  const approved = flow.test().mockStep("ship", never).trigger().advance("38h").approve();
  expect(await waits(flow.test().trigger().advance("38h").approve())).toEqual([
    'the first attempt of `ship` is delayed until 2026-01-02T14:00:05.000Z: write `.advance("5s")`.',
  ]);
  expect(await waits(approved.advance("5s"))).toEqual([
    'the handler of `ship` still executes, in attempt 1, at most until 2026-01-02T14:00:35.000Z: write `.advance("30s")`.',
  ]);
});

test("a mock that never ends is ended by the time-out, without a wait in real time", async () => {
  await flow
    .test({ patience: "1h" })
    .mockStep("ship", never)
    .trigger()
    .advance("38h")
    .approve()
    .advance("35s")
    .expectStep("ship")
    .toFailWith("timeout")
    .expectRun()
    .toFailWith("timeout")
    .run();
});

test("the error shows the line of the expectation, not that of run()", async () => {
  const test = small();
  test.expectStep("charge").toFail();
  const error = await test.run().catch((thrown: Error) => thrown);
  expect((error as Error).stack).toContain("expectations.test.ts");
});
