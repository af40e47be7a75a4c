/** Repeat as long as a condition holds; each repetition sees what the one before gave. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const pages = [["a", "b"], ["c"], []];

const crawl = engine
  .define({ id: "crawl" })
  .step("begin", () => ({ page: 0, found: 0, isLast: false }))
  .while(
    "pages",
    (ctx) => !ctx.last.isLast,
    (flow) =>
      flow
        .step("fetch", (ctx) => ({ ...ctx.last, items: pages[ctx.last.page] ?? [] }))
        .step("next", ({ last: { page, found, items } }) => ({
          page: page + 1,
          found: found + items.length,
          isLast: items.length === 0,
        })),
    { maxIterations: 100 },
  )
  .step("end", (ctx) => `${ctx.last.found} items on ${ctx.last.page} pages`);

const endless = engine.define({ id: "endless" }).while(
  "for-ever",
  () => true,
  () => undefined,
  { maxIterations: 10 },
);

await engine.start();
console.log(await engine.execute(crawl, undefined));
await engine.execute(endless, undefined).catch((error) => console.log(error.error.code, "-", error.error.message));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// 3 items on 3 pages
// too_many_iterations - the loop did not end within 10 iterations
