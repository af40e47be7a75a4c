/** One event starts a run of each workflow that listens, in one transaction. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

engine
  .define({ id: "invoice" })
  .onEvent("order.paid", { schema: z.object({ id: z.string(), total: z.number() }) })
  .step("write", (ctx) => `an invoice for ${ctx.payload.id}`);
engine
  .define({ id: "thanks" })
  .onEvent("order.paid", {
    schema: z.object({ id: z.string(), total: z.number() }),
    filter: (order) => order.total > 100,
  })
  .step("send", (ctx) => `thank you for ${ctx.payload.total} €`);

// What does not fit a workflow's schema is left out there, logged and told.
const log = { ...console, warn: console.log, error: console.log };
await engine.start({ log });
for (const order of [{ id: "A-1", total: 200 }, { id: "A-2", total: 20 }, { id: "A-3" }]) {
  const { runIds, refused } = await engine.publishEvent("order.paid", order);
  const outputs = await Promise.all(runIds.map((runId) => engine.result(runId)));
  console.log(
    order.id,
    outputs,
    refused.map(({ workflowId }) => workflowId),
  );
}

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// A-1 [ "an invoice for A-1", "thank you for 200 €" ] []
// A-2 [ "an invoice for A-2" ] []
// event "order.paid" starts no run of workflow `invoice`: $.total: Invalid input: expected number, received undefined
// event "order.paid" starts no run of workflow `thanks`: $.total: Invalid input: expected number, received undefined
// A-3 [] [ "invoice", "thanks" ]
