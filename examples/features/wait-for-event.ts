/** Wait for something that happens elsewhere. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const order = engine
  .define({ id: "order" })
  .manual({ schema: z.object({ orderId: z.string() }) })
  .waitForEvent("payment", {
    schema: z.object({ orderId: z.string(), amount: z.number() }),
    filter: (event, ctx) => event.orderId === ctx.payload.orderId,
    timeout: "3d",
  })
  .step("ship", (ctx) => ("timedOut" in ctx.last ? "cancelled" : `paid ${ctx.last.amount} €`));
const impatient = engine.define({ id: "impatient" }).waitForEvent("payment", { timeout: "10ms" });

await engine.start();
// Events from before the wait began do not count.
await engine.publishEvent("payment", { orderId: "A-1", amount: 1 });
const runId = await engine.trigger(order, { orderId: "A-1" });
while ((await engine.inspect(runId)).status !== "waiting");
await engine.publishEvent("payment", { orderId: "B-2", amount: 2 });
await engine.publishEvent("payment", { orderId: "A-1", amount: 3 });
console.log(await engine.result(runId));
console.log(await engine.execute(impatient, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// paid 3 €
// {
//   timedOut: true,
// }
