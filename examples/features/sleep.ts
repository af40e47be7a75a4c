/** Wait for some time, or until a moment. A run that sleeps costs no memory and survives restarts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const reminder = engine
  .define({ id: "reminder" })
  .step("order", () => ({ paidAt: Date.now() }))
  .sleep("20ms")
  .sleep((ctx) => (ctx.last.paidAt > 0 ? 10 : "3d"))
  .sleepUntil((ctx) => ctx.last.paidAt + 50)
  // A moment that has passed is no sleep.
  .sleepUntil("2001-01-01T00:00:00Z")
  .step("remind", (ctx) => Date.now() - ctx.last.paidAt >= 50);

await engine.start();
console.log(`not early: ${await engine.execute(reminder, undefined)}`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// not early: true
