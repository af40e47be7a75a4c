/** Ask a person. The token is good for one answer. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const asked = Promise.withResolvers<string>();

const refund = engine
  .define({ id: "refund" })
  .manual({ schema: z.number() })
  .humanInTheLoop({
    description: "May we refund this?",
    timeout: "3d",
    // Mail it: whoever has the token can answer. It is tried again when it fails, with the same token.
    onPause: (_ctx, token) => asked.resolve(token),
  })
  .step("answer", (ctx) => `${ctx.last.status} by ${ctx.last["by"]}: ${ctx.payload} €`);
const nobody = engine.define({ id: "nobody" }).humanInTheLoop({ timeout: "10ms" });

await engine.start();
const runId = await engine.trigger(refund, 40);
const token = await asked.promise;
for (const { workflowId, status, description } of await engine.listPausedWorkflows()) {
  console.log(workflowId, status, description);
}
await engine.resume(token, { approved: true, by: "Ada" });
console.log(await engine.result(runId));
await engine.resume(token).catch((error) => console.log(error.code));
await engine.resume("made up").catch((error) => console.log(error.code));
console.log(await engine.execute(nobody, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// refund open May we refund this?
// approved by Ada: 40 €
// token_used
// token_unknown
// {
//   approved: false,
//   timedOut: true,
//   status: "timeout",
// }
