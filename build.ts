/**
 * The one tool. `bun build.ts` lists what it does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const BUN = process.execPath;
const ROOT = import.meta.dir;
const isTerminal = process.stdout.isTTY === true;

interface Task {
  readonly summary: string;
  readonly run: (argumentsOf: string[]) => Promise<void>;
}

const BENCHMARKS = [
  "boundary",
  "compiled",
  "engine",
  "flow",
  "growth",
  "http",
  "napi",
  "peers",
  "schedules",
  "start",
  "testing",
  "types",
];

const tasks: Record<string, Task> = {
  native: { summary: "build the native library (release)", run: async () => native() },
  demo: { summary: "order processing, killed in the middle and started again", run: async () => demo() },
  test: { summary: "everything CI runs; closes with `N passed, N failed`", run: async () => test() },
  simulate: { summary: "the simulator: --seeds N, --seed S to replay one", run: async (rest) => simulate(rest) },
  kill: {
    summary: "the kill test with 200 kills",
    run: async () => shown([BUN, "test", "runtime/recovery"], { KILLS: "200" }),
  },
  fuzz: { summary: "a million hostile requests: --seed S, --requests N", run: async (rest) => fuzz(rest) },
  pack: {
    summary: "the npm packages, into target/npm: --library PATH packs that one and builds none",
    run: async (rest) => pack(rest),
  },
  bench: { summary: `the benchmarks: ${BENCHMARKS.join(", ")}`, run: async (rest) => bench(rest) },
  format: { summary: "format Rust and TypeScript", run: async () => format() },
};

function requireTool(tool: string, advice: string): void {
  if (Bun.which(tool) === null) fail(`${tool} was not found: ${advice}.`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Runs a command whose output is only shown when it fails; a line says what takes so long. */
async function quiet(title: string, command: string[], environment: Record<string, string> = {}): Promise<string> {
  const began = performance.now();
  const child = Bun.spawn(command, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdout: "pipe",
    stderr: "pipe",
  });
  const ticker = isTerminal ? setInterval(() => progress(title, began), 200) : undefined;
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearInterval(ticker);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1).padStart(6);
  if (isTerminal) process.stdout.write("\r\x1b[K");
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${seconds} s  ${title}`);
  if (code !== 0) {
    console.log(stdout + stderr);
    throw new Failed(stdout + stderr);
  }
  return stdout + stderr;
}

class Failed extends Error {}

function progress(title: string, began: number): void {
  process.stdout.write(`\r\x1b[K…    ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${title}`);
}

/** Runs a command that talks for itself. */
async function shown(command: string[], environment: Record<string, string> = {}): Promise<void> {
  const code = await Bun.spawn(command, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    stdio: ["inherit", "inherit", "inherit"],
  }).exited;
  if (code !== 0) process.exit(code);
}

async function dependencies(): Promise<void> {
  requireTool("cargo", "install Rust from https://rustup.rs");
  if (Bun.which("cc") === null)
    fail("cc was not found: install a C compiler (Debian: apt-get install build-essential).");
  await packages();
}

async function packages(): Promise<void> {
  await quiet("install packages", [BUN, "install", "--frozen-lockfile"]);
}

async function native(): Promise<void> {
  requireTool("cargo", "install Rust from https://rustup.rs");
  await quiet("build the native library", [
    "cargo",
    "build",
    "--release",
    "--locked",
    "-p",
    "cronflow-native",
    "--lib",
  ]);
}

async function demo(): Promise<void> {
  await dependencies();
  await native();
  await shown([BUN, "examples/orders/demo.ts"]);
}

async function simulate(rest: string[]): Promise<void> {
  requireTool("cargo", "install Rust from https://rustup.rs");
  await shown([
    "cargo",
    "run",
    "--quiet",
    "--release",
    "--locked",
    "-p",
    "cronflow-native",
    "--features",
    "sim",
    "--bin",
    "simulate",
    "--",
    ...rest,
  ]);
}

async function fuzz(rest: string[]): Promise<void> {
  await dependencies();
  await native();
  await shown([BUN, "runtime/http/fuzz/main.ts", ...rest]);
}

async function pack(rest: string[]): Promise<void> {
  // A library that is given is not built: it may be of another machine, or have taken long.
  if (rest.some((word) => /^--library(=|$)/.test(word))) await packages();
  else {
    await dependencies();
    await native();
  }
  await shown([BUN, "build/main.ts", ...rest]);
}

async function bench(names: string[]): Promise<void> {
  await dependencies();
  await native();
  await quiet("build the ceiling", [
    "cargo",
    "build",
    "--release",
    "--locked",
    "-p",
    "cronflow-native",
    "--example",
    "ceiling",
  ]);
  for (const each of names.length > 0 ? names : BENCHMARKS) {
    const file = [`bench/${each}.ts`, `bench/${each}/main.ts`].find((path) => existsSync(join(ROOT, path)));
    if (file === undefined) fail(`there is no benchmark \`${each}\``);
    if (each === "napi") await addon();
    console.log(`\n## ${each}\n`);
    await shown([BUN, file]);
  }
}

/** In a folder of its own: with its features the core is compiled anew. */
async function addon(): Promise<void> {
  const build = ["cargo", "build", "--release", "--locked", "-p", "cronflow-napi", "--target-dir", "target/napi"];
  await quiet("build the N-API addon", build);
}

async function format(): Promise<void> {
  await shown(["cargo", "fmt", "--all"]);
  await shown(["node_modules/.bin/biome", "check", "--write", "."]);
}

/** Every check, also after one has failed, so that one run tells everything. */
async function test(): Promise<void> {
  await dependencies();
  const cargo = (...words: string[]): string[] => ["cargo", ...words];
  const steps: [title: string, command: string[]][] = [
    ["format of Rust", cargo("fmt", "--all", "--check")],
    ["lint of Rust", cargo("clippy", "--locked", "--all-targets", "--features", "sim", "--", "-D", "warnings")],
    ["lint of the bench's N-API addon", cargo("clippy", "--locked", "-p", "cronflow-napi", "--", "-D", "warnings")],
    ["tests of the core", cargo("test", "--locked", "--features", "sim")],
    [
      "simulator, 5,000 seeds",
      cargo("run", "--locked", "--features", "sim", "--bin", "simulate", "--", "--seeds", "5000"),
    ],
    ["build the native library", cargo("build", "--release", "--locked", "-p", "cronflow-native", "--lib")],
    ["types", ["node_modules/.bin/tsc", "--noEmit"]],
    ["format and lint of TypeScript", ["node_modules/.bin/biome", "check", "."]],
    ["tests of the runtime, the docs and the examples", [BUN, "test", "--timeout", "60000"]],
    ["the demo", [BUN, "examples/orders/demo.ts"]],
  ];
  let passed = 0;
  let failed = 0;
  const failures: string[] = [];
  for (const [title, command] of steps) {
    try {
      const counts = count(await quiet(title, command));
      passed += Math.max(counts.passed, 1);
      failed += counts.failed;
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      const counts = count(error.message);
      passed += counts.passed;
      failed += Math.max(counts.failed, 1);
      failures.push(...failuresOf(error.message));
    }
  }
  // Once more where nobody has to look for them: the output above is thousands of lines.
  for (const each of failures) console.log(`\n${each}`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

/** What cargo, bun and the simulator say of their tests. */
function count(output: string): { passed: number; failed: number } {
  const sum = (pattern: RegExp): number =>
    [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1]?.replaceAll(",", "")), 0);
  return {
    passed: sum(/([\d,]+) passed/g) + sum(/^\s*(\d+) pass$/gm),
    failed: sum(/([\d,]+) failed/g) + sum(/^\s*(\d+) fail$/gm),
  };
}

/** What bun has printed of each test that failed: the lines between the test before it and its own. */
function failuresOf(output: string): string[] {
  const failures: string[] = [];
  let block: string[] = [];
  for (const line of output.split("\n")) {
    block.push(line);
    if (line.startsWith("(fail)") && block.length > 1) failures.push(block.join("\n").trim());
    if (/^\((fail|pass|skip|todo)\)|\.test\.ts:$|^\d+ tests failed:$/.test(line)) block = [];
  }
  return failures;
}

const [name = "", ...rest] = process.argv.slice(2);
const task = tasks[name];
if (task === undefined) {
  for (const [each, { summary }] of Object.entries(tasks)) console.log(`bun build.ts ${each.padEnd(9)} ${summary}`);
  process.exit(name === "" ? 0 : 2);
}
await task.run(rest);
