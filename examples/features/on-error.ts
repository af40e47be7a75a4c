/** Go on although something has failed: what onError returns is the output. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const weather = engine
  .define({ id: "weather" })
  .step("forecast", (): { degrees: number } => {
    throw new Error("the service is down");
  })
  .onError((ctx) => {
    console.log(`saved from: ${ctx.error.message}`);
    return { degrees: 15 };
  })
  // Blocks and waits can be saved as a whole.
  .parallel([() => 1, () => Promise.reject(new Error("one branch is broken"))])
  .onError((ctx) => ctx.error.message)
  .step("end", (ctx) => [ctx.steps.forecast.output.degrees, ctx.last]);

await engine.start();
console.log(await engine.execute(weather, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// saved from: the service is down
// [ 15, "one branch is broken" ]
