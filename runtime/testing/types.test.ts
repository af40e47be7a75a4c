/** What the compiler knows of tests: `tsc` fails when an expected error is none, and when a type is not the one named. */
import { expect, test } from "bun:test";
import { createCronflow, defineService } from "cronflow-ffi";
import { never, type StepResult, testApp } from "cronflow-ffi/testing";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function isType<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Expected, Actual>): void => {};
}

const mailer = defineService({
  id: "mailer",
  setup: () => ({ actions: { send: async (to: string) => ({ id: to }) } }),
});
const typed = mailer.withConfig();
const workflow = createCronflow()
  .define({ id: "typed", services: [typed] })
  .onWebhook("/typed", { schema: z.object({ amount: z.number() }) })
  .step("charge", (ctx) => ({ receipt: "r", at: new Date(0), amount: ctx.payload.amount }))
  .action("mail", () => 5)
  .if("large", () => true)
  .step("gift", () => 1)
  .endIf()
  .step("end", () => "end" as const);

test("payloads, outputs and steps have the types of the workflow", () => {
  // Checked by the compiler only.
  const unused = async (): Promise<void> => {
    const result = await workflow.test().trigger({ amount: 1 }).run();
    isType<"end" | undefined>()(result.output, true);
    isType<{ receipt: string; at: string; amount: number } | undefined>()(result.steps.charge.output, true);
    isType<number | undefined>()(result.steps.gift.output, true);
    isType<StepResult<unknown> | undefined>()(result.steps["mail"], true);
    // @ts-expect-error a payload is needed
    workflow.test().trigger();
    // @ts-expect-error wrong payload
    workflow.test().trigger({ amount: "1" });
    // @ts-expect-error no such option
    workflow.test({ clock: 1 });
    await createCronflow().define({ id: "free" }).manual().test().trigger().run();
  };
  expect(unused).toBeFunction();
});

test("mocks have the type of what they stand for", () => {
  const unused = (): void => {
    workflow.test().mockStep("charge", { receipt: "r", at: "2026", amount: 1 });
    workflow.test().mockStep("charge", (ctx) => ({ receipt: ctx.run.id, at: "", amount: ctx.attempt }));
    workflow.test().mockStep("charge", async () => ({ receipt: "", at: "", amount: 1 }));
    workflow.test().mockStep("charge", never);
    workflow.test().mockStep("charge", () => {
      throw new Error("down");
    });
    workflow.test().mockStep("gift", 2);
    workflow.test().mockStep("mail", "anything");
    // @ts-expect-error a field is missing
    workflow.test().mockStep("charge", { receipt: "r" });
    // @ts-expect-error the function gives something else
    workflow.test().mockStep("charge", () => 5);
    // @ts-expect-error another literal
    workflow.test().mockStep("end", "start");
    workflow.test().mockService(typed, { send: async (to) => ({ id: to.toUpperCase() }) });
    workflow.test().mockService(typed, { send: () => ({ id: "at once" }) });
    // @ts-expect-error no such action
    workflow.test().mockService(typed, { sned: () => ({ id: "" }) });
    // @ts-expect-error the action gives something else
    workflow.test().mockService(typed, { send: () => 5 });
  };
  expect(unused).toBeFunction();
});

test("expectations have the type of what they speak of", () => {
  const unused = (): void => {
    workflow.test().expectStep("gift").toHaveOutput(1);
    workflow.test().expectRun().toCompleteWith("end");
    // @ts-expect-error not the output of the step
    workflow.test().expectStep("gift").toHaveOutput("1");
    // @ts-expect-error not the output of the run
    workflow.test().expectRun().toCompleteWith("start");
    // @ts-expect-error an expectation that is begun is no test
    workflow.test().expectStep("gift").run();
  };
  expect(unused).toBeFunction();
});

test("an app knows its workflows", () => {
  const unused = async (): Promise<void> => {
    await using app = testApp([workflow]);
    await app.trigger(workflow, { amount: 1 });
    // @ts-expect-error wrong payload
    await app.trigger(workflow, {});
    isType<"end" | undefined>()((await app.run(workflow)).output, true);
    isType<number | undefined>()((await app.run(workflow)).steps.gift.output, true);
    await app.expectRun(workflow).toCompleteWith("end");
    // @ts-expect-error not the output
    await app.expectRun(workflow).toCompleteWith(5);
    await app.expectStep(workflow, "gift").toHaveOutput(5);
    // @ts-expect-error not the output of the step
    await app.expectStep(workflow, "gift").toHaveOutput("5");
    app.mockStep(workflow, "end", "end");
    // @ts-expect-error another literal
    app.mockStep(workflow, "end", "start");
  };
  expect(unused).toBeFunction();
});
