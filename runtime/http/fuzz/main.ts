/** `bun build.ts fuzz [--seed S] [--requests N]`: attacks an engine, and shows what it has answered. */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { growth } from "./memory.ts";

const { values } = parseArgs({ options: { seed: { type: "string" }, requests: { type: "string" } } });
const seed = wholeOf("seed", values.seed ?? String(crypto.getRandomValues(new Uint32Array(1))[0]));
const requests = wholeOf("requests", values.requests ?? "1000000");

console.log(`${requests.toLocaleString("en")} requests, seed ${seed}`);
const began = performance.now();
const isTerminal = process.stdout.isTTY === true;
const { faults, tally, memory } = await fuzz({
  seed,
  requests,
  ...(isTerminal && { onProgress: (done) => process.stdout.write(`\r\x1b[K${done.toLocaleString("en")} …`) }),
});
if (isTerminal) process.stdout.write("\r\x1b[K");
console.log(`\n${tally.table()}\n`);
const grown = growth(memory, requests - Math.floor(requests / 3));
console.log(`${grown.shown}; ${((performance.now() - began) / 1_000).toFixed(1)} s`);
const all = grown.fault === undefined ? faults : [...faults, grown.fault];
for (const fault of all) console.log(`\n${fault}`);
console.log(all.length === 0 ? "\n1 passed, 0 failed" : `\n0 passed, ${all.length} failed (seed ${seed})`);
process.exit(all.length === 0 ? 0 : 1);

function wholeOf(option: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  console.error(`--${option} is ${text}; give a whole number from 1.`);
  process.exit(2);
}
