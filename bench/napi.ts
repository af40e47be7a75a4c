/**
 * The case against N-API: the same core behind both doors, in one process, in turn; the N-API ones under Node too; and
 * beside them the prebuilt core of the original cronflow, which is an N-API addon. Ends with what was reached.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inDirectory } from "./lib/engine.ts";
import { progress, round, table } from "./lib/table.ts";
import { ADDON } from "./napi/door.ts";
import { alternate, ratio, type Samples, times } from "./napi/measure.ts";

if (!existsSync(ADDON)) throw new Error(`${ADDON} is missing: \`bun build.ts bench napi\` builds it`);
// Both of these load it.
const { ffi } = await import("./napi/ffi.ts");
const { DISK_ROUNDS, measureDoors } = await import("./napi/rounds.ts");
const { CALLS, installOriginal, original, ours, PUBLISHED } = await import("./napi/original.ts");
const { measureNode, measureStarts, nodeVersion } = await import("./napi/runtimes.ts");
const { BYTES, SIZES } = await import("./napi/work.ts");

const FFI = ffi.name;
/** The N-API doors that do the same work as the C one. */
const NAPI = ["napi-rs", "by hand", "by hand, buffers"];
const UNCOPIED = "by hand, uncopied";
const RATIO_TITLES = ["N-API ÷ FFI min", "median", "max"];
// Engines by how durable what they write is.
const SHIPPED = "original as shipped (DELETE, FULL)";
const EQUAL = "original (WAL, FULL)";
const ALONE = "ours (WAL, FULL)";
const TOGETHER = "ours, 64 in a request (WAL, FULL)";
const RELAXED = "ours, relaxed (WAL, NORMAL)";
const VOLATILE = "ours, in memory";

const GOALS = { noop: 10, text100: 1.6, published: 10 };

/** How a goal was met, as a line of a list. */
const verdicts: string[] = [];
function judge(reached: boolean, goal: string, found: string): void {
  verdicts.push(`- ${reached ? "Reached" : "Missed"}: ${goal}. ${found}`);
}

await inDirectory(async (directory) => {
  const bun = await measureDoors([ffi], directory, progress);
  progress("the N-API doors under Node …");
  const node = await measureNode(directory);
  progress("start-up …");
  const starts = await measureStarts(directory);
  progress("the original …");
  const seeds = await measureOriginal(directory);
  progress("");

  const nodeTitle = `in Node ${nodeVersion()}`;
  console.log(`The door alone, Bun ${Bun.version}: text in, text out, ns of one call.\n`);
  console.log(echoTable(bun.text, node?.text, nodeTitle, bun.noop, node?.noop));
  console.log(
    "\nThe same, with JSON.stringify before and JSON.parse behind it: object in, object out, ns of one call.\n",
  );
  console.log(echoTable(bun.object, node?.object, nodeTitle));
  console.log("\nThe core behind the door, working on the calling thread, µs of one call; the store is memory.\n");
  console.log(coreTable(bun.memory, node?.memory, nodeTitle));
  console.log("\nThe same; the store is SQLite, and each call waits for a commit that survives a power cut.\n");
  console.log(coreTable(bun.disk, node?.disk, nodeTitle));
  console.log("\nFrom spawning the runtime to the first answer of an engine in memory.\n");
  console.log(startTable(starts));
  if (seeds !== undefined) {
    console.log("\nThe four calls that the original publishes figures for, ms of one call.\n");
    console.log(seedTable(seeds.samples));
    console.log(
      `\nSteps that the original has recorded of the ${seeds.executed.toLocaleString("en-US")} executed: ${seeds.recorded}.`,
    );
  }

  judgeDoors(bun.noop, bun.text, bun.object);
  if (seeds !== undefined) judgeSeeds(seeds.samples);
  console.log(`\n${verdicts.join("\n")}`);
});

/** Of those that do the same work, the one with the least median. */
function best(samples: Samples, work: string, names: readonly string[] = NAPI): string {
  const there = names.filter((name) => samples[name] !== undefined);
  const median = (name: string): number => times(samples, name, work).median;
  return there.reduce((one, other) => (median(other) < median(one) ? other : one));
}

/** The best N-API door against ours, round by round. */
function ratioCells(samples: Samples, work: string): string[] {
  const { min, median, max } = ratio(samples, best(samples, work), FFI, work);
  return [min, median, max].map((value) => value.toFixed(2));
}

function echoTable(
  echoes: Samples,
  node: Samples | undefined,
  nodeTitle: string,
  noop?: Samples,
  nodeNoop?: Samples,
): string {
  const doors = [FFI, ...NAPI, UNCOPIED].filter((name) => echoes[name] !== undefined);
  const median = (samples: Samples | undefined, name: string, work: string): string | number =>
    samples?.[name] === undefined ? "-" : round(times(samples, name, work).median);
  const row = (title: string, samples: Samples, inNode: Samples | undefined, work: string): (string | number)[] => [
    title,
    ...doors.map((name) => median(samples, name, work)),
    inNode === undefined ? "-" : median(inNode, best(inNode, work), work),
    ...ratioCells(samples, work),
  ];
  return table(
    ["bytes", ...doors, nodeTitle, ...RATIO_TITLES],
    [
      ...(noop === undefined ? [] : [row("no-op", noop, nodeNoop, "no-op")]),
      ...SIZES.map((size, at) => row((BYTES[at] ?? 0).toLocaleString("en-US"), echoes, node, `${size}`)),
    ],
  );
}

function coreTable(samples: Samples, node: Samples | undefined, nodeTitle: string): string {
  const doors = [FFI, ...NAPI].filter((name) => samples[name] !== undefined);
  const microseconds = (of: Samples, name: string, work: string): number => round(times(of, name, work).median / 1_000);
  const rows = Object.keys(samples[FFI]?.[0] ?? {}).map((work) => [
    work,
    ...doors.map((name) => microseconds(samples, name, work)),
    node === undefined ? "-" : microseconds(node, best(node, work), work),
    ...ratioCells(samples, work),
  ]);
  return table(["call", ...doors, nodeTitle, ...RATIO_TITLES], rows);
}

function startTable(starts: Samples): string {
  const rows = Object.keys(starts).map((name) => {
    const { min, median, max } = times(starts, name, "ms");
    return [name, round(min), round(median), round(max), round(times(starts, name, "mb").median)];
  });
  return table(["program", "ms min", "median", "max", "resident MB"], rows);
}

interface Seeds {
  readonly samples: Samples;
  readonly executed: number;
  readonly recorded: number;
}

/** The original beside ours; nothing where its package does not run. */
async function measureOriginal(directory: string): Promise<Seeds | undefined> {
  if (!installOriginal()) {
    console.log("The prebuilt core of the original is for x64 Linux with glibc: not measured here.");
    return undefined;
  }
  const database = (name: string): string => join(directory, `${name}.db`);
  const contenders = [
    original(SHIPPED, database("shipped"), "DELETE"),
    original(EQUAL, database("equal"), "WAL"),
    ours(ALONE, database("alone"), "full", 1),
    ours(TOGETHER, database("together"), "full", 64),
    ours(RELAXED, database("relaxed"), "relaxed", 1),
    ours(VOLATILE, ":memory:", "full", 1),
  ];
  try {
    const samples = await alternate(contenders, DISK_ROUNDS, (contender) => contender.round());
    return { samples, ...recordedSteps(database("shipped")) };
  } finally {
    for (const contender of contenders) contender.close();
  }
}

/** What the original's own database says of the steps that it was told to execute: one of each run. */
function recordedSteps(path: string): { executed: number; recorded: number } {
  const database = new Database(path, { readonly: true });
  try {
    const count = (name: string): number =>
      (database.query(`SELECT count(*) AS n FROM ${name}`).get() as { n: number }).n;
    return { executed: count("workflow_runs"), recorded: count("step_results") };
  } finally {
    database.close();
  }
}

function seedTable(samples: Samples): string {
  const milliseconds = (name: string, call: string): number => round(times(samples, name, call).median / 1e6);
  return table(
    [`median of ${DISK_ROUNDS} rounds`, ...CALLS],
    [
      ["original, published", ...CALLS.map((call) => PUBLISHED[call])],
      ...Object.keys(samples).map((name) => [name, ...CALLS.map((call) => milliseconds(name, call))]),
    ],
  );
}

function judgeDoors(noop: Samples, text: Samples, object: Samples): void {
  const nothing = ratio(noop, best(noop, "no-op"), FFI, "no-op").median;
  judge(nothing >= GOALS.noop, `a no-op at least ${GOALS.noop} × as fast`, `${nothing.toFixed(1)} ×.`);
  for (const door of NAPI) {
    const small = ratio(text, door, FFI, "100").median;
    judge(
      small >= GOALS.text100,
      `100 B of text at least ${GOALS.text100} × as fast as ${door}`,
      `${small.toFixed(2)} ×.`,
    );
  }
  for (const [title, samples] of [
    ["text", text],
    ["object", object],
  ] as const) {
    const found = SIZES.map((size) => ({
      size,
      times: ratio(samples, best(samples, `${size}`), FFI, `${size}`).median,
    }));
    const least = found.reduce((one, other) => (other.times < one.times ? other : one));
    judge(
      Number(least.times.toFixed(2)) >= 1,
      `never behind the best of them, ${title} to ${title}`,
      `At the least ${least.times.toFixed(2)} ×, at ${least.size.toLocaleString("en-US")} B.`,
    );
  }
}

function judgeSeeds(samples: Samples): void {
  for (const call of CALLS) {
    const faster = (name: string): string => `${round(PUBLISHED[call] / (times(samples, name, call).median / 1e6))} ×`;
    const reached = PUBLISHED[call] / (times(samples, ALONE, call).median / 1e6) >= GOALS.published;
    const found = `${faster(ALONE)}; 64 in a request ${faster(TOGETHER)}; relaxed ${faster(RELAXED)}.`;
    judge(reached, `${call} at least ${GOALS.published} × as fast as published`, found);
  }
  for (const call of CALLS) {
    const faster = (name: string): number => ratio(samples, EQUAL, name, call).median;
    const found =
      `${round(faster(ALONE))} ×; 64 in a request ${round(faster(TOGETHER))} ×; ` +
      `relaxed ${round(faster(RELAXED))} ×; in memory ${round(faster(VOLATILE))} ×.`;
    judge(faster(ALONE) > 1, `${call} faster than the original's core at the same settings`, found);
  }
}
