/** Hear of every step and every run. Hooks of runs are called at least once, also after a restart. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const told = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;

const deliver = engine
  .define({
    id: "deliver",
    hooks: {
      onSuccess: (ctx, step) => {
        console.log(step === undefined ? `the run is done: ${ctx.last}` : `${step} is done`);
        if (step === undefined) told[0].resolve();
      },
      onFailure: (ctx, step) => {
        console.log(`${step ?? "the run"} has failed: ${ctx.error?.message}`);
        if (step === undefined) told[1].resolve();
      },
    },
  })
  .manual({ schema: z.string() })
  .step("find", (ctx) => `the house of ${ctx.payload}`)
  .step("ring", (ctx) => {
    if (ctx.payload === "Ben") throw new Error("nobody opens");
    return "delivered";
  });

await engine.start();
await engine.trigger(deliver, "Ada");
await told[0].promise;
await engine.trigger(deliver, "Ben");
await told[1].promise;

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// find is done
// ring is done
// the run is done: delivered
// find is done
// ring has failed: nobody opens
// the run has failed: nobody opens
