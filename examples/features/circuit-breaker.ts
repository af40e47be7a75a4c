/** Leave alone what keeps failing, and try it again after a while. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

let [isDown, calls] = [true, 0];

const call = engine
  .define({ id: "call" })
  .step("bank", () => {
    calls += 1;
    if (isDown) throw new Error("the bank does not answer");
    return "paid";
  })
  .circuitBreaker({ failureThreshold: 2, recoveryTimeout: "300ms" });
const pause = engine.define({ id: "pause" }).sleep("300ms");

await engine.start();
for (let time = 0; time < 4; time += 1) {
  await engine.execute(call, undefined).catch((error) => console.log(error.error.message));
}
isDown = false;
await engine.execute(pause, undefined);
console.log(await engine.execute(call, undefined));
console.log(`${calls} calls`);

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// the bank does not answer
// the bank does not answer
// the circuit `call.bank` is open after 2 failures
// the circuit `call.bank` is open after 2 failures
// paid
// 3 calls
