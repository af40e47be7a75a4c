/**
 * The same work on the engines that a user would pick instead: `bun bench/peers/main.ts [engine ...]`. Installs what is
 * missing, measures each setting in turn, prints the tables and writes the chart.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { progress } from "../lib/table.ts";
import { chart } from "./lib/chart.ts";
import { installPackages } from "./lib/install.ts";
import { type Measured, measure } from "./lib/measure.ts";
import { report } from "./lib/report.ts";
import { canCount } from "./lib/syncs.ts";
import { PEERS } from "./peers.ts";

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !PEERS.some((peer) => peer.name === name));
if (unknown.length > 0) {
  console.error(`No engine is named ${unknown.join(", ")}. There are: ${PEERS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const began = performance.now();
installPackages();
const countsSyncs = canCount();
const measured: Measured[] = [];
for (const peer of PEERS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  for (const setting of peer.settings) {
    const say = (what: string): void => progress(`${peer.title}, ${setting.title}: ${what} …`);
    measured.push(await measure({ peer, setting, countsSyncs, say }));
  }
}
progress("");
console.log(report(measured));
console.log(`\nMeasured in ${Math.round((performance.now() - began) / 1_000)} s.`);
if (wanted.length === 0) writeFileSync(join(import.meta.dir, "chart.svg"), chart(measured));
