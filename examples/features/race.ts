/** Ask several and take the first answer; the others are told to stop. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const told = Promise.withResolvers<string>();

const search = engine
  .define({ id: "search" })
  .race(
    [
      () => Promise.reject(new Error("this mirror is down, and does not decide the race")),
      (ctx) =>
        new Promise<string>(() => {
          ctx.signal.addEventListener("abort", () => told.resolve(ctx.signal.reason.message));
        }),
      (flow) => flow.sleep(10).step("fast", () => "found by the third"),
    ],
    { name: "mirrors" },
  )
  .step("show", (ctx) => ctx.last);

await engine.start();
const runId = await engine.trigger(search, undefined);
console.log(await engine.result(runId));
console.log(`the second was told: ${await told.promise}`);
const { attempts } = await engine.inspect(runId);
for (const { step, status } of attempts.slice(0, -1).sort((a, b) => (a.step < b.step ? -1 : 1)))
  console.log(step, status);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// found by the third
// the second was told: the result is no longer wanted
// fast completed
// mirrors completed
// mirrors.1 failed
// mirrors.2 cancelled
// sleep-4 completed
