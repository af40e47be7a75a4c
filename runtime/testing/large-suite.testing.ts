/** A suite as users have them: many tests of a workflow with waits, retries, branches and a person, in several files. */
import { join } from "node:path";

export const TESTS = 200;
const FILES = 4;
/** Inside the package, so that its own name resolves. */
const SCRATCH = join(import.meta.dir, "..", "..", ".cache");

const HEAD = `
import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { generate } from "cronflow-ffi/testing";
import { z } from "zod";

const schema = z.object({ id: z.uuid(), amount: z.number().min(1).max(1_000) });
const orders = createCronflow()
  .define({ id: "orders" })
  .manual({ schema })
  .step("charge", (ctx) => {
    if (ctx.attempt < 3) throw new Error("busy");
    return ctx.payload.amount;
  })
  .retry({ attempts: 5 })
  .if("large", (ctx) => ctx.last > 500)
  .humanInTheLoop({ timeout: "3d" })
  .endIf()
  .sleep("1d")
  .step("ship", (ctx) => ctx.payload.id);
`;

const TEST = `
test("order NUMBER", async () => {
  const order = generate(schema, { seed: NUMBER });
  const test = orders.test().trigger(order).advance("1m").expectStep("charge").toHaveBeenCalledTimes(3);
  if (order.amount > 500) test.approve().expectStep("large").toSucceed();
  const { output } = await test.crash().advance("1d").expectRun().toComplete().run();
  expect(output).toBe(order.id);
});
`;

/** Writes the suite and gives its folder, which is to be removed. */
export async function writeLargeSuite(): Promise<string> {
  const folder = join(SCRATCH, `suite-${crypto.randomUUID()}`);
  for (let file = 0; file < FILES; file += 1) {
    const numbers = Array.from({ length: TESTS / FILES }, (_, index) => file * (TESTS / FILES) + index);
    const tests = numbers.map((number) => TEST.replaceAll("NUMBER", String(number)));
    await Bun.write(join(folder, `orders-${file}.test.ts`), HEAD + tests.join(""));
  }
  return folder;
}
