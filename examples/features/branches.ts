/** Do one thing or another: the first branch whose condition holds. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const shipping = engine
  .define({ id: "shipping" })
  .manual({ schema: z.object({ kilos: z.number() }) })
  .if("heavy", (ctx) => ctx.payload.kilos > 30)
  .step("truck", (ctx) => ({ by: "truck", price: 10 + ctx.payload.kilos }))
  .elseIf((ctx) => ctx.payload.kilos > 1)
  .step("van", () => ({ by: "van", price: 8 }))
  .else()
  .step("letter", () => ({ by: "letter", price: 2 }))
  .endIf()
  // `ctx.last` is the output of the branch that was done; steps of a branch may be missing.
  .step("label", (ctx) => `${ctx.last.by} for ${ctx.last.price} € (truck: ${ctx.steps.truck?.output.price ?? "no"})`);

await engine.start();
for (const kilos of [100, 5, 0.2]) console.log(await engine.execute(shipping, { kilos }));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// truck for 110 € (truck: 110)
// van for 8 € (truck: no)
// letter for 2 € (truck: no)
