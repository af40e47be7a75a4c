/** For tests: the packages of this checkout, packed once for each test file. */
import { afterAll } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Packed, pack } from "./pack.ts";

const CACHE = join(import.meta.dir, "..", ".cache");

/** Packs, and removes what was packed when the file's tests have ended. Call it at the top of a test file. */
export async function packForTests(): Promise<Packed> {
  await mkdir(CACHE, { recursive: true });
  const directory = await mkdtemp(join(CACHE, "npm-"));
  afterAll(() => rm(directory, { recursive: true, force: true }));
  return pack(directory);
}

/** The first program of the README. */
export async function readmeProgram(): Promise<string> {
  const readme = await Bun.file(join(import.meta.dir, "..", "README.md")).text();
  const [, program] = /^```ts\n([\s\S]*?)^```$/m.exec(readme) ?? [];
  if (program === undefined) throw new Error("The README has no program.");
  return program;
}
