/** Change a workflow while runs are open: each goes on with the version it began with. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cronflow, createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));

const database = join(directory, "example.db");

function defineFirst(engine: Cronflow) {
  return engine
    .define({ id: "greet", version: "1" })
    .waitForEvent("go")
    .step("hello", (ctx) => `hello, says version ${ctx.run.version}`);
}

const before = createCronflow({ database });
const first = defineFirst(before);
await before.start();
const runId = await before.trigger(first, undefined);
while ((await before.inspect(runId)).status !== "waiting");
await before.stop();

// The next deployment: the old version stays for the runs that began with it, the one defined last is for new ones.
const after = createCronflow({ database });
defineFirst(after);
const second = after
  .define({ id: "greet", version: "2" })
  .step("welcome", (ctx) => `welcome, says version ${ctx.run.version}`);
await after.start();
await after.publishEvent("go");
console.log(await after.result(runId));
console.log(await after.execute(second, undefined));
await after.stop();

rmSync(directory, { recursive: true });

// Output:
// hello, says version 1
// welcome, says version 2
