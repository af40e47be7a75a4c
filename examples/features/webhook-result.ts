/** A request is answered with what its run gives, as long as that does not take too long. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const thought = Promise.withResolvers<number>();

engine
  .define({ id: "divide" })
  .onWebhook("/divide", { respond: "result", schema: z.object({ of: z.number(), by: z.number() }) })
  .step("quotient", (ctx) => {
    if (ctx.payload.by === 0) throw new RangeError("nothing can be divided by zero");
    return { quotient: ctx.payload.of / ctx.payload.by };
  });
engine
  .define({ id: "think" })
  .onWebhook("/think", { respond: "result", timeout: "10ms" })
  .step("answer", () => thought.promise);

await engine.start({ port: 0, auth: "a-token-that-nobody-guesses" });
await ask("/divide", { of: 42, by: 6 });
await ask("/divide", { of: 42, by: 0 });
const runId = await ask("/think", {});
// The run goes on when nobody waits any more.
thought.resolve(42);
console.log(await engine.result(runId));

await engine.stop();
rmSync(directory, { recursive: true });

async function ask(path: string, body: object) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(new URL(path, engine.url), { method: "POST", headers, body: JSON.stringify(body) });
  const { runId, ...rest } = (await answer.json()) as { runId?: string };
  console.log(answer.status, rest);
  return runId ?? "";
}

// Output:
// 200 {
//   quotient: 7,
// }
// 422 {
//   status: "failed",
//   error: {
//     name: "RangeError",
//     message: "nothing can be divided by zero",
//   },
// }
// 504 {
//   error: {
//     code: "result_timeout",
//     message: "The run is not finished yet.",
//   },
// }
// 42
