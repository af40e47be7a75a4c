/** Try again what has failed: how often, when, and which errors. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow, NonRetryableError } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

class Busy extends Error {}

const flaky = engine
  .define({ id: "flaky" })
  .step("call", (ctx) => {
    if (ctx.attempt < 4) throw new Busy(`busy (attempt ${ctx.attempt})`);
    return `done at attempt ${ctx.attempt}`;
  })
  .retry({
    attempts: 5,
    backoff: { strategy: "exponential", delay: "5ms", multiplier: 2, maxDelay: "8ms" },
    retryOn: (error) => error instanceof Busy,
    onRetry: (_attempt, error) => console.log((error as Error).message),
  });
const hopeless = engine
  .define({ id: "hopeless", retry: { attempts: 10 } }) // For steps that have no policy of their own.
  .step("call", () => {
    throw new NonRetryableError("the card does not exist");
  });

await engine.start();
const runId = await engine.trigger(flaky, undefined);
console.log(await engine.result(runId));
for (const { attempt, status, retryAt, finishedAt } of (await engine.inspect(runId)).attempts) {
  const then = retryAt === undefined ? "" : `, again after ${retryAt.getTime() - finishedAt.getTime()} ms`;
  console.log(`attempt ${attempt} ${status}${then}`);
}
await engine.execute(hopeless, undefined).catch((error) => console.log(error.error.message));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// busy (attempt 1)
// busy (attempt 2)
// busy (attempt 3)
// done at attempt 4
// attempt 1 failed, again after 5 ms
// attempt 2 failed, again after 8 ms
// attempt 3 failed, again after 8 ms
// attempt 4 completed
// the card does not exist
