/** Do the same for every so many items. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const importer = engine
  .define({ id: "import" })
  .step("rows", () => Array.from({ length: 25 }, (_, index) => index + 1))
  .batch("lots", { items: (ctx) => ctx.last, size: 10 }, (rows, flow) =>
    flow.step("insert", (ctx) => `lot ${ctx.index}: ${rows.length} rows, ${ctx.batch[0]} to ${ctx.batch.at(-1)}`),
  )
  .step("end", (ctx) => ctx.last.join("\n"));

await engine.start();
console.log(await engine.execute(importer, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// lot 0: 10 rows, 1 to 10
// lot 1: 10 rows, 11 to 20
// lot 2: 5 rows, 21 to 25
