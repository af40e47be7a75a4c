/** The package's declarations. They are `.d.ts` files: a consumer's compiler would check `.ts` ones as its own. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { EntryPoints } from "./javascript.ts";

const ROOT = join(import.meta.dir, "..");
const SPECIFIER = /(from |import\(|import )"(\.{1,2}\/[^"]+)\.ts"/g;

/** Writes the declarations that the entry points reach into `<directory>/dist`. */
export async function buildTypes(entries: EntryPoints, directory: string): Promise<void> {
  // Inside the checkout, where the packages are found whose types these ones use.
  await mkdir(join(ROOT, ".cache"), { recursive: true });
  const scratch = await mkdtemp(join(ROOT, ".cache", "types-"));
  try {
    await emit(Object.values(entries), scratch);
    const wanted = Object.values(entries).map((file) => join(scratch, file.replace(/\.ts$/, ".d.ts")));
    for (const file of await reachable(wanted)) {
      const text = await Bun.file(file).text();
      await Bun.write(join(directory, "dist", relative(scratch, file)), text.replace(SPECIFIER, '$1"$2.js"'));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function emit(files: readonly string[], outDir: string): Promise<void> {
  const config = join(outDir, "tsconfig.json");
  const compilerOptions = { noEmit: false, declaration: true, emitDeclarationOnly: true, outDir, rootDir: ROOT };
  const settings = { extends: join(ROOT, "tsconfig.json"), compilerOptions, include: [], files: files.map(absolute) };
  await Bun.write(config, JSON.stringify(settings));
  // Not from `.bin`: on Windows there are no scripts in it.
  const compiler = Bun.spawn(
    [process.execPath, join(ROOT, "node_modules", "typescript", "bin", "tsc"), "--project", config],
    {
      cwd: ROOT,
      stdout: "pipe",
      stderr: "inherit",
    },
  );
  const [output, code] = await Promise.all([compiler.stdout.text(), compiler.exited]);
  if (code !== 0) throw new Error(`The declarations could not be made:\n${output}`);
}

function absolute(file: string): string {
  return join(ROOT, file);
}

/** The files that these ones import, and they themselves. */
async function reachable(from: readonly string[]): Promise<Set<string>> {
  const found = new Set(from);
  for (const file of found) {
    for (const [, , specifier] of (await Bun.file(file).text()).matchAll(SPECIFIER)) {
      found.add(join(dirname(file), `${specifier}.d.ts`));
    }
  }
  return found;
}
