/** Bound an attempt and a whole run. The handler hears it by its signal; what it returns later is refused. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const slow = engine
  .define({ id: "slow" })
  .step("call", (ctx) => {
    if (ctx.attempt === 2) return "the second attempt was quick";
    ctx.signal.addEventListener("abort", () => console.log(ctx.signal.reason.name, "-", ctx.signal.reason.message));
    return new Promise<string>(() => {});
  })
  .timeout("200ms")
  .retry({ attempts: 2, backoff: { delay: 0 } });
const long = engine.define({ id: "long", timeout: "10ms" }).sleep("1d");

await engine.start();
console.log(await engine.execute(slow, undefined));
await engine.execute(long, undefined).catch((error) => console.log(error.status, "-", error.error.code));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// TimeoutError - the step took longer than its timeout
// the second attempt was quick
// failed - run_timeout
