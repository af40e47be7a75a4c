/** What the compiler knows: `tsc` fails when an expected error is none, and when a type is not the one named. */
import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function isType<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Expected, Actual>): void => {};
}

test("types flow from the schema through every step to the output", () => {
  const engine = createCronflow();
  const workflow = engine
    .define({ id: "types" })
    .onWebhook("/types", { schema: z.object({ amount: z.number(), at: z.coerce.date() }) })
    .step("charge", (ctx) => {
      isType<number>()(ctx.payload.amount, true);
      isType<string>()(ctx.payload.at, true); // A Date is recorded as a string.
      isType<undefined>()(ctx.last, true);
      // @ts-expect-error no such field
      ctx.payload.colour;
      // @ts-expect-error a step does not see itself
      ctx.steps.charge;
      return { id: "c1", paid: ctx.payload.amount, at: new Date() };
    })
    .retry({ attempts: 3 })
    .action("mail", async (ctx) => {
      isType<string>()(ctx.last.at, true);
      return 5;
    })
    .step({ id: "ship", title: "Ship it" }, async (ctx) => {
      isType<string>()(ctx.steps.charge.output.id, true);
      isType<number>()(ctx.last.paid, true); // The action passes `last` through.
      // @ts-expect-error an action has no output
      ctx.steps.mail;
      // @ts-expect-error no such step
      ctx.steps.shop;
      return ["a", "b"] as const;
    })
    .onError((ctx) => {
      isType<string>()(ctx.error.message, true);
      return null;
    })
    .step("last", (ctx) => {
      isType<readonly ["a", "b"] | null>()(ctx.last, true);
      isType<readonly ["a", "b"] | null>()(ctx.steps.ship.output, true);
      return ctx.last;
    });
  // Checked by the compiler only.
  const never = async (): Promise<void> => {
    isType<readonly ["a", "b"] | null>()(await engine.execute(workflow, { amount: 1, at: "" }), true);
    // @ts-expect-error wrong payload
    await engine.trigger(workflow, { amount: "1" });
    // @ts-expect-error no such option
    engine.define({ id: "x", colour: "red" });
  };
  expect(never).toBeFunction();
});

test("payloads of several triggers are a union, and unknown without a schema", () => {
  createCronflow()
    .define({ id: "union" })
    .onWebhook("/a", { schema: z.object({ a: z.number() }) })
    .manual({ schema: z.string() })
    .step("x", (ctx) => isType<{ a: number } | string>()(ctx.payload, true));
  createCronflow()
    .define({ id: "bare" })
    .step("x", (ctx) => isType<unknown>()(ctx.payload, true));
  expect(() => createCronflow().define({ id: "-" })).toThrow("not of the form");
});
