/** Do the same for each item, some at a time; results are in the order of the items. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const invoices = engine
  .define({ id: "invoices" })
  .step("customers", () => [
    { name: "Ada", owes: 12 },
    { name: "Ben", owes: 0 },
    { name: "Cleo", owes: 30 },
  ])
  .forEach(
    "each",
    (ctx) => ctx.last,
    // The item is in the closure and in `ctx.item`. Steps are built here, and run for each item.
    (customer, flow) =>
      flow
        .if((ctx) => ctx.item.owes > 0)
        .step("invoice", (ctx) => `invoice ${ctx.index + 1}: ${customer.name} pays ${customer.owes} €`)
        .else()
        .step("thank", () => `${customer.name} owes nothing`)
        .endIf(),
    { concurrency: 2 },
  )
  .step("end", (ctx) => ctx.last.join("\n"));

await engine.start();
console.log(await engine.execute(invoices, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// invoice 1: Ada pays 12 €
// Ben owes nothing
// invoice 3: Cleo pays 30 €
