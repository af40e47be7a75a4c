/** The nightly job over 10,000 accounts. On a terminal it also shows time and memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { type Account, defineNightly } from "./nightly.ts";

const ACCOUNTS = 10_000;
const accounts: Account[] = Array.from({ length: ACCOUNTS }, (_, id) => ({ id, cents: id * 1_000 }));
const booked = new Map<string, number>();
let [atOnce, most] = [0, 0];

const directory = mkdtempSync(join(tmpdir(), "cronflow-nightly-"));
const engine = createCronflow({ database: join(directory, "nightly.db") });
const nightly = defineNightly(engine, {
  accounts: async () => accounts,
  book: async (_accountId, cents, key) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await Promise.resolve();
    booked.set(key, cents);
    atOnce -= 1;
  },
});

await engine.start();
const began = performance.now();
const report = await engine.execute(nightly, { day: "2027-01-31" });
const tookMs = performance.now() - began;
console.log(`${report.accounts} accounts, ${report.cents} cents`);
const expected = accounts.reduce((sum, { id }) => sum + id, 0);
console.log(`right: ${report.cents === expected && booked.size === ACCOUNTS}, at most ${most} at the same time`);
if (process.stdout.isTTY) {
  const megabytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
  console.log(`${Math.round(tookMs)} ms, ${Math.round((ACCOUNTS / tookMs) * 1_000)} steps a second, ${megabytes} MiB`);
}

await engine.stop();
rmSync(directory, { recursive: true });

// Output:
// 10000 accounts, 49995000 cents
// right: true, at most 100 at the same time
