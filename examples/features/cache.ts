/** Use an output again, in other runs too. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

let calls = 0;

const convert = engine
  .define({ id: "convert" })
  .manual({ schema: z.object({ amount: z.number(), currency: z.string() }) })
  .step("rate", (ctx) => {
    calls += 1;
    return ctx.payload.currency === "USD" ? 2 : 3;
  })
  .cache({ key: (ctx) => (ctx.payload as { currency: string }).currency, ttl: "1h" })
  .step("amount", (ctx) => ctx.last * ctx.payload.amount);

await engine.start();
for (const currency of ["USD", "USD", "GBP", "USD"]) {
  console.log(currency, await engine.execute(convert, { amount: 10, currency }));
}
console.log(`${calls} calls`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// USD 20
// USD 20
// GBP 30
// USD 20
// 2 calls
