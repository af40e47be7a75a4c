/** Take a failed run up again once the cause is mended: what it has done is not done again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

let isDown = true;

const order = engine
  .define({ id: "order" })
  .step("charge", () => {
    console.log("charge");
    return 20;
  })
  .step("ship", () => {
    console.log("ship");
    if (isDown) throw new Error("the warehouse is closed");
    return "shipped";
  })
  .step("receipt", (ctx) => `${ctx.last}, paid ${ctx.steps.charge.output}`);

await engine.start();
const runId = await engine.trigger(order, undefined);
await engine.result(runId).catch((error) => console.log(error.error.message));
isDown = false;
await engine.retryRun(runId);
console.log(await engine.result(runId));
await engine.retryRun(runId).catch((error) => console.log(error.name));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// charge
// ship
// the warehouse is closed
// ship
// shipped, paid 20
// ConflictError
