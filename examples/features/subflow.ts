/** Use a workflow as a step of another. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const vat = engine
  .define({ id: "vat" })
  .manual({ schema: z.object({ net: z.number(), percent: z.number() }) })
  .step("compute", (ctx) => ctx.payload.net * (1 + ctx.payload.percent / 100))
  .step("round", (ctx) => Math.round(ctx.last));

const invoice = engine
  .define({ id: "invoice" })
  .step("items", () => [100, 200] as const)
  .subflow("total", vat, (ctx) => ({ net: ctx.last[0] + ctx.last[1], percent: 20 }))
  .step("write", (ctx) => `${ctx.last} €`);

await engine.start();
const runId = await engine.trigger(invoice, undefined);
console.log(await engine.result(runId));
const { runs } = await engine.list({ workflowId: "vat" });
console.log(`one child run: ${runs.length === 1 && runs[0]?.parentRunId === runId}`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// 360 €
// one child run: true
