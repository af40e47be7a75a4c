/** No more runs begin in a span of time than allowed; the others wait in order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const mails = engine
  .define({ id: "mails", rateLimit: { count: 2, per: "50ms" } })
  .manual({ schema: z.number() })
  .step("send", (ctx) => ctx.payload);

await engine.start();
const runIds: string[] = [];
for (const number of [1, 2, 3, 4, 5]) runIds.push(await engine.trigger(mails, number));
const begins: number[] = [];
for (const runId of runIds) {
  const number = await engine.result(runId);
  const { startAt, createdAt } = await engine.inspect(runId);
  begins.push((startAt ?? createdAt).getTime());
  const before = begins.at(-3);
  const gap =
    before === undefined ? "" : `, 50 ms or more after the one two before: ${(begins.at(-1) ?? 0) - before >= 50}`;
  console.log(`mail ${number}${gap}`);
}

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// mail 1
// mail 2
// mail 3, 50 ms or more after the one two before: true
// mail 4, 50 ms or more after the one two before: true
// mail 5, 50 ms or more after the one two before: true
