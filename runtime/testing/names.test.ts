/** Tests that speak of what does not exist, or say what cannot be, are told where they do it. */
import { expect, test } from "bun:test";
import { createCronflow, defineService } from "cronflow-ffi";
import { ExpectationError, testApp } from "cronflow-ffi/testing";

const mailer = defineService({ id: "mailer", setup: () => ({ actions: { send: (to: string) => `sent to ${to}` } }) });

const workflow = createCronflow()
  .define({ id: "orders", services: [mailer.withConfig()] })
  .manual()
  .step("validate", () => 1)
  .sleep("1h", { name: "pause" })
  .waitForEvent("paid", { name: "payment" })
  .humanInTheLoop({ name: "approval" })
  .parallel([(flow) => flow.step("left", () => 1), (flow) => flow.step("right", () => 2)], { name: "both" })
  .forEach("each", [1], (_item, flow) => flow.step("inside", () => 3))
  .cancel("over", { name: "end" });

test.each([
  [() => workflow.test().expectStep("valdate"), "has no step `valdate`. Did you mean `validate`?"],
  [() => workflow.test().expectStep("ship"), "has no step `ship`. There are `validate`, `pause`,"],
  [() => workflow.test().expectStep("validate@1"), "step `validate` is in no loop"],
  [() => workflow.test().mockStep("valdate", 1), "Did you mean `validate`?"],
  [() => workflow.test().mockStep("pause", 1), "`pause` is no step: its kind is sleep. Skip it by .advance()."],
  [
    () => workflow.test().mockStep("payment", 1 as never),
    "its kind is wait_for_event. Publish its event by .mockEvent().",
  ],
  [
    () => workflow.test().mockStep("approval", 1 as never),
    "its kind is approval. Answer it by .approve() or .reject().",
  ],
  [() => workflow.test().mockStep("both", 1 as never), "Mock the steps inside of it."],
  [() => workflow.test().mockEvent("payed"), "nothing waits for an event of this name. Did you mean `paid`?"],
  [() => workflow.test().mockService("mailr", {}), "Did you mean `mailer`?"],
  [() => workflow.test().crash({ during: "x" }), "has no step `x`"],
  [() => workflow.test().approve({}, { step: "aproval" }), "Did you mean `approval`?"],
  [() => workflow.test().trigger().trigger(), "a test has one run. Use testApp() for several"],
  [() => workflow.test().advance("tomorrow"), "is not a duration"],
  [() => workflow.test({ now: "tomorrow" }).trigger().run(), "give a Date"],
  [() => workflow.test().run(), "call .trigger() before .run()"],
  [() => workflow.test().expectRun().toComplete().trigger().run(), "An expectation stands before .trigger()"],
  [
    () => {
      const test = workflow.test().trigger();
      test.expectStep("validate");
      return test.run();
    },
    '.expectStep("validate") says nothing of what is expected',
  ],
  [() => testApp([workflow]).trigger("order"), "The test has no workflow `order`. Did you mean `orders`?"],
  [() => testApp([workflow]).expectStep(workflow, "valdate"), "Did you mean `validate`?"],
] as const)("%# %p", async (call, message) => {
  await expect((async () => call())()).rejects.toThrow(message);
});

test("what was said and never used is an error", async () => {
  const said = async (test: { run(): Promise<unknown> }): Promise<string> => {
    const error = await test.run().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ExpectationError);
    return (error as ExpectationError).message.split("\n")[0] as string;
  };
  expect(await said(workflow.test().mockStep("left", 1).trigger())).toStartWith("never used: the mock of step `left`.");
  expect(await said(workflow.test().mockEvent("paid").trigger())).toStartWith(
    "never used: the event `paid` of .mockEvent().",
  );
  expect(await said(workflow.test().mockService("mailer", {}).trigger())).toStartWith(
    "never used: the mock of service `mailer`.",
  );
  expect(await said(workflow.test().crash({ during: "left" }).trigger())).toStartWith(
    "never used: the death of the process of .crash({ during }).",
  );
  // One that was replaced is not missed; one that came after the step is.
  await workflow.test().mockStep("validate", 1).mockStep("validate", 2).trigger().run();
  expect(await said(workflow.test().mockStep("validate", 1).trigger().mockStep("validate", 2))).toStartWith(
    "never used: the mock of step `validate`.",
  );
});

test("an answer that nobody waits for says how the run is", async () => {
  const error = await workflow
    .test()
    .trigger()
    .approve()
    .run()
    .catch((thrown) => thrown);
  expect(error.message).toStartWith(".approve(): no step waits for a person.\nThe run of `orders` waits.");
  const named = await workflow
    .test()
    .trigger()
    .reject({}, { step: "approval" })
    .run()
    .catch((thrown) => thrown);
  expect(named.message).toStartWith(".reject(): step `approval` does not wait for a person.");
});

test("an answer says which, when several steps wait for a person", async () => {
  const two = createCronflow()
    .define({ id: "two" })
    .manual()
    .parallel([(flow) => flow.humanInTheLoop({ name: "boss" }), (flow) => flow.humanInTheLoop({ name: "legal" })]);
  const error = await two
    .test()
    .trigger()
    .approve()
    .run()
    .catch((thrown) => thrown);
  expect(error.message).toBe(
    '.approve(): several steps wait for a person: `boss`, `legal`. Say which: .approve({}, { step: "boss" }).',
  );
  const result = await two.test().trigger().approve({}, { step: "legal" }).reject({ why: "no" }).run();
  expect(result.output).toEqual([
    { approved: false, why: "no", status: "rejected", timedOut: false },
    { approved: true, status: "approved", timedOut: false },
  ]);
});
