/** Keep values from run to run: they commit with the step, so a retry never counts twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const visits = engine
  .define({ id: "visits" })
  .manual({ schema: z.string() })
  .step("count", (ctx) => {
    const total = ctx.state.incr("total");
    const own = ctx.state.incr(`of ${ctx.payload}`);
    ctx.state.set("latest", ctx.payload, { ttl: "1h" });
    if (ctx.attempt < 3) throw new Error("the counting is not done");
    return { total, own };
  })
  .retry({ attempts: 3, backoff: { delay: 0 } })
  .step("show", (ctx) => `${ctx.payload}: ${ctx.last.own} of ${ctx.last.total}, latest ${ctx.state.get("latest")}`);

await engine.start();
for (const name of ["Ada", "Ben", "Ada"]) console.log(await engine.execute(visits, name));
// What all workflows share; each change is a transaction of its own.
await engine.state.set("theme", "dark");
console.log(
  await engine.state.incr("starts"),
  await engine.state.get("theme"),
  await engine.state.get("none", "standard"),
);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// Ada: 1 of 1, latest Ada
// Ben: 1 of 2, latest Ben
// Ada: 2 of 3, latest Ada
// 1 dark standard
