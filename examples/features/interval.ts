/** Start runs again and again, to the millisecond. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const instants: number[] = [];
const enough = Promise.withResolvers<void>();

engine
  .define({ id: "heartbeat" })
  .onInterval("20ms", { overlap: "skip" })
  .action("beat", (ctx) => {
    instants.push(Date.parse(ctx.trigger.scheduledAt ?? ""));
    if (instants.length === 3) enough.resolve();
  });

await engine.start();
await enough.promise;
const [first = 0, ...others] = instants;
// Instants that come while the run before has not ended are skipped, so there may be gaps, but of whole intervals.
console.log(others.every((instant) => instant > first && (instant - first) % 20 === 0));
const [schedule] = await engine.schedules();
console.log(schedule?.name, schedule?.everyMs, schedule?.overlap);
// Instants that come while the workflow is paused start nothing.
await engine.pause("heartbeat");

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// true
// every 20 ms 20 skip
