/** What is urgent goes first when runs have to wait. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const [begun, hold] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];

const print = engine
  .define({ id: "print", concurrency: 1 })
  .manual({ schema: z.string() })
  .step("print", async (ctx) => {
    console.log(ctx.payload);
    if (ctx.payload !== "the first, which keeps the printer busy") return;
    begun.resolve();
    await hold.promise;
  });

await engine.start();
const runIds = [await engine.trigger(print, "the first, which keeps the printer busy")];
await begun.promise;
runIds.push(await engine.trigger(print, "a leaflet", { priority: -10 }));
runIds.push(await engine.trigger(print, "a letter"));
runIds.push(await engine.trigger(print, "another letter"));
runIds.push(await engine.trigger(print, "the fire plan", { priority: 100 }));
hold.resolve();
await Promise.all(runIds.map((runId) => engine.result(runId)));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// the first, which keeps the printer busy
// the fire plan
// a letter
// another letter
// a leaflet
