/** Do several things at the same time and go on when all are done. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const offer = engine
  .define({ id: "offer" })
  .step("order", () => ({ product: "lamp", weight: 3 }))
  // A branch is a handler, or a function that builds a flow of its own.
  .parallel({
    price: async () => 20,
    stock: (flow) => flow.step("count", () => 7).step("free", (ctx) => ctx.last - 2),
    shipping: (flow) =>
      flow
        .step("carrier", (ctx): number => {
          throw new Error(`nobody carries a ${ctx.last.product} today`);
        })
        .onError(() => 5),
  })
  .step("total", (ctx) => `${ctx.last.price + ctx.last.shipping} €, ${ctx.last.stock} left`)
  // With a list the outputs are a tuple.
  .parallel([(ctx) => ctx.last.toUpperCase(), (ctx) => ctx.last.length])
  .step("end", (ctx) => `${ctx.last[0]} (${ctx.last[1]} characters)`);

await engine.start();
console.log(await engine.execute(offer, undefined));

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// 25 €, 5 LEFT (12 characters)
