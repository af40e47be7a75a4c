/** Start runs from your own code: wait for them or not, now or later, once per key. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const order = engine
  .define({ id: "order" })
  .manual({ schema: z.object({ id: z.string(), gift: z.boolean().default(false) }) })
  .step("pack", (ctx) => `${ctx.payload.id}${ctx.payload.gift ? ", as a gift" : ""}`);

await engine.start();
console.log(await engine.execute(order, { id: "A-1", gift: true }));
// `trigger` gives the run's id as soon as it is on disk. By its name, a workflow takes anything: the schema decides.
const runId = await engine.trigger("order", { id: "A-2" }, { idempotencyKey: "A-2", delay: "10ms", priority: 5 });
const again = await engine.trigger("order", { id: "A-2" }, { idempotencyKey: "A-2" });
console.log(runId === again, await engine.result(runId));
await engine.trigger("order", { id: "A-3" }, { idempotencyKey: "A-2" }).catch((error) => console.log(error.code));
await engine.trigger("order", {}).catch((error) => console.log(error.code));
await engine.trigger("nothing").catch((error) => console.log(error.code));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// A-1, as a gift
// true A-2
// idempotency_conflict
// value_invalid
// workflow_not_found
