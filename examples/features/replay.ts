/** Start a new run from the recorded results of another, from any step, with another payload or with outputs given. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const price = engine
  .define({ id: "price" })
  .manual({ schema: z.object({ count: z.number() }) })
  .step("unit", () => {
    console.log("unit is executed");
    return 5;
  })
  .step("total", (ctx) => ctx.last * ctx.payload.count)
  .step("show", (ctx) => `${ctx.payload.count} for ${ctx.last} €`);

await engine.start();
const runId = await engine.trigger(price, { count: 2 });
console.log(await engine.result(runId));
const cheaper = await engine.replay(runId, { fromStep: "total", overridePayload: { count: 10 } });
console.log(await engine.result(cheaper));
console.log(await engine.result(await engine.replay(runId, { mockStep: { unit: 1 } })));
console.log(`linked: ${(await engine.inspect(cheaper)).replayOf === runId}`);
await engine.replay(runId, { fromStep: "unknown" }).catch((error) => console.log(error.code));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// unit is executed
// 2 for 10 €
// 10 for 50 €
// 2 for 2 €
// linked: true
// step_not_found
