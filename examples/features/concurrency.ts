/** No more runs of a customer at the same time than allowed; the others wait in order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const order = { schema: z.object({ customer: z.string(), number: z.number() }) };
const inside = new Map<string, number>();
let most = 0;

const work = engine
  .define({
    id: "work",
    concurrency: { limit: 1, key: (payload: { customer: string }) => payload.customer },
  })
  .manual(order)
  .step("work", async (ctx) => {
    const { customer } = ctx.payload;
    inside.set(customer, (inside.get(customer) ?? 0) + 1);
    most = Math.max(most, inside.get(customer) ?? 0);
    await Promise.resolve();
    inside.set(customer, (inside.get(customer) ?? 0) - 1);
    return ctx.payload;
  });

await engine.start();
const done: string[] = [];
await Promise.all(
  [1, 2, 3].flatMap((number) =>
    ["Ada", "Ben"].map(async (customer) => {
      await engine.execute(work, { customer, number });
      done.push(`${customer} ${number}`);
    }),
  ),
);
console.log("Ada:", done.filter((name) => name.startsWith("Ada")).join(", "));
console.log("Ben:", done.filter((name) => name.startsWith("Ben")).join(", "));
console.log(`at most ${most} of a customer at the same time`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// Ada: Ada 1, Ada 2, Ada 3
// Ben: Ben 1, Ben 2, Ben 3
// at most 1 of a customer at the same time
