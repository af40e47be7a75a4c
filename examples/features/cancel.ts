/** End a run that is no longer wanted. It is then cancelled, which is no failure. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const begun = Promise.withResolvers<void>();

const checkout = engine
  .define({ id: "checkout", hooks: { onFailure: () => console.log("never called") } })
  .manual({ schema: z.object({ items: z.number() }) })
  .if((ctx) => ctx.payload.items === 0)
  .cancel("the basket is empty")
  .endIf()
  .step("stock", (ctx) => (ctx.payload.items > 9 ? ctx.cancel("we do not have so many") : ctx.payload.items))
  .step("wait", (ctx) => {
    ctx.signal.addEventListener("abort", () => console.log(`the handler hears: ${ctx.signal.reason.message}`));
    begun.resolve();
    return new Promise<string>(() => {});
  });

await engine.start();
for (const items of [0, 10]) {
  await engine.execute(checkout, { items }).catch((error) => console.log(error.status, "-", error.error.message));
}
const runId = await engine.trigger(checkout, { items: 1 });
await begun.promise;
await engine.cancelRun(runId, "the customer has left");
await engine.result(runId).catch((error) => console.log(error.status, "-", error.error.message));
await engine.cancelRun(runId).catch((error) => console.log(error.code));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// cancelled - the basket is empty
// cancelled - we do not have so many
// the handler hears: the run was cancelled
// cancelled - the customer has left
// run_ended
