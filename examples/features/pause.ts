/** Hold a workflow back, also across restarts. It takes runs, and executes none. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const mails = engine
  .define({ id: "mails" })
  .manual({ schema: z.string() })
  .step("send", (ctx) => console.log(`to ${ctx.payload}`));
const other = engine.define({ id: "other" }).step("x", () => console.log("other workflows go on"));

await engine.start();
await engine.pause("mails");
const runIds = [await engine.trigger(mails, "Ada"), await engine.trigger(mails, "Ben")];
await engine.execute(other, undefined);
for (const runId of runIds) console.log((await engine.inspect(runId)).status);
await engine.unpause("mails");
await Promise.all(runIds.map((runId) => engine.result(runId)));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// other workflows go on
// pending
// pending
// to Ada
// to Ben
