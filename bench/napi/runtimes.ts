/** The same programs under Bun and under Node: bundled to JavaScript that both can run. */
import { join } from "node:path";
import { ADDON } from "./door.ts";
import { alternate, type Sample, type Samples } from "./measure.ts";
import type { Measured } from "./rounds.ts";

const STARTS = Number(process.env["BENCH_STARTS"] ?? 41);

/** A runtime with a program. */
interface Program {
  readonly name: string;
  readonly command: readonly [runtime: string, script: string];
}

export const NODE = Bun.which("node");

/** What Node calls itself. */
export function nodeVersion(): string {
  return NODE === null ? "not installed" : Bun.spawnSync([NODE, "--version"]).stdout.toString().trim();
}

async function bundle(program: string, directory: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(import.meta.dir, `${program}.ts`)],
    outdir: directory,
    target: program === "start-ffi" ? "bun" : "node",
    format: "esm",
    naming: "[name].mjs",
  });
  if (!built.success) throw new Error(built.logs.join("\n"));
  return join(directory, `${program}.mjs`);
}

const environment = { ...process.env, CRONFLOW_NAPI: ADDON };

/** The N-API doors under Node; nothing where there is no Node. */
export async function measureNode(directory: string): Promise<Measured | undefined> {
  if (NODE === null) return undefined;
  const child = Bun.spawn([NODE, await bundle("node", directory), directory], {
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const output = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error("the program under Node failed");
  return JSON.parse(output) as Measured;
}

/** Milliseconds from the spawning of a program to its first answer, and the megabytes that it then has in memory. */
export async function measureStarts(directory: string): Promise<Samples> {
  const bun = process.execPath;
  const [nothing, ffi, napi] = [
    await bundle("start-nothing", directory),
    await bundle("start-ffi", directory),
    await bundle("start-napi", directory),
  ];
  const programs: Program[] = [
    { name: "Bun alone", command: [bun, nothing] },
    { name: "Bun, FFI", command: [bun, ffi] },
    { name: "Bun, N-API", command: [bun, napi] },
  ];
  if (NODE !== null) {
    programs.push({ name: "Node alone", command: [NODE, nothing] }, { name: "Node, N-API", command: [NODE, napi] });
  }
  return alternate(programs, STARTS, ({ command }) => startOnce([...command]));
}

async function startOnce(command: string[]): Promise<Sample> {
  const began = performance.now();
  const child = Bun.spawn(command, { env: environment, stdio: ["ignore", "pipe", "inherit"] });
  let answeredAt: number | undefined;
  let output = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    answeredAt ??= performance.now();
    output += decoder.decode(chunk, { stream: true });
  }
  if ((await child.exited) !== 0 || answeredAt === undefined) throw new Error(`${command.join(" ")} failed`);
  return { ms: answeredAt - began, mb: Number(output) / 2 ** 20 };
}
