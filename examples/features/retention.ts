/** Delete ended runs after a while. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

const short = engine.define({ id: "short", retention: "20ms" }).step("x", (ctx) => ctx.run.id);
const kept = engine.define({ id: "kept" }).step("x", (ctx) => ctx.run.id);

await engine.start();
const [gone, stays] = [await engine.execute(short, undefined), await engine.execute(kept, undefined)];
let code: string | undefined;
while (code === undefined) {
  await engine.inspect(gone).catch((error) => {
    code = error.code;
  });
}
console.log(code);
console.log((await engine.inspect(stays)).status);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// run_not_found
// completed
