/** Ask for items again and again; each starts one run, ever, also after restarts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const inbox = [
  { id: 1, subject: "hello" },
  { id: 2, subject: "world" },
];
let polls = 0;
let polledAgain = Promise.withResolvers<void>();

engine
  .define({ id: "inbox", concurrency: 1 })
  .onPoll(
    () => {
      polls += 1;
      if (polls > 1) polledAgain.resolve();
      return inbox;
    },
    { interval: "10ms", timeout: "5s" },
  )
  .action("read", (ctx) => console.log(ctx.trigger.id, ctx.payload.subject));

await engine.start();
await polledAgain.promise;
console.log(`${await endedRuns()} runs`);
await engine.stop();

// A new item comes while nobody is there.
inbox.push({ id: 3, subject: "again" });
[polls, polledAgain] = [0, Promise.withResolvers<void>()];
await engine.start();
await polledAgain.promise;
console.log(`${await endedRuns()} runs`);

await engine.stop();
rmSync(directory, { recursive: true });

/** How many runs there are, once all of them have ended. */
async function endedRuns(): Promise<number> {
  const { runs } = await engine.list();
  await Promise.all(runs.map(({ runId }) => engine.result(runId)));
  return runs.length;
}

// Output:
// 1 hello
// 2 world
// 2 runs
// 3 again
// 3 runs
