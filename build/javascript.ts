/** The package's JavaScript: the runtime and the services as a few chunks, because a module costs time at each start. */
import { rm } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** The modules that users import, from the root of the package, by the subpath of its `exports`. */
export type EntryPoints = Readonly<Record<string, string>>;

/** What `exports` of package.json says, each subpath with its file: a `*` is one for each match that is not excluded. */
export async function entryPoints(exports: Readonly<Record<string, string | null>>): Promise<EntryPoints> {
  const found: Record<string, string> = {};
  for (const [subpath, file] of Object.entries(exports)) {
    if (file === null) continue;
    const pattern = file.replace(/^\.\//, "");
    for await (const match of new Bun.Glob(pattern).scan(ROOT)) {
      const name = subpath.replace("*", matched(pattern, match));
      if (exports[name] !== null) found[name] = match;
    }
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => a.localeCompare(b)));
}

/** What the `*` of a pattern stands for in a path. */
function matched(pattern: string, path: string): string {
  const [before = "", after] = pattern.split("*");
  return after === undefined ? "" : path.slice(before.length, path.length - after.length);
}

/** Where an entry point's file is after the build, from the root of the package. */
export function built(file: string, extension: ".js" | ".d.ts"): string {
  return `dist/${file.replace(/\.ts$/, extension)}`;
}

/** Where the file that finds the native library is. It stays a file of its own: see its first lines. */
export const PLATFORM = "runtime/native/platform.ts";

/** What Node and other runtimes get. */
export const ELSEWHERE = "dist/elsewhere.js";

/** Builds all entry points into `<directory>/dist`. */
export async function buildJavaScript(entries: EntryPoints, directory: string): Promise<void> {
  const dist = join(directory, "dist");
  await rm(dist, { recursive: true, force: true });
  await Bun.build({
    entrypoints: Object.values(entries).map((file) => join(ROOT, file)),
    root: ROOT,
    outdir: dist,
    target: "bun",
    format: "esm",
    splitting: true,
    packages: "external",
    external: ["#platform"],
    naming: { entry: "[dir]/[name].js", chunk: "chunks/[hash].js" },
  });
  // For target `bun` it would put `import.meta.require` in the way.
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "node" });
  const platform = await transpiler.transform(await Bun.file(join(ROOT, PLATFORM)).text());
  await Bun.write(join(directory, built(PLATFORM, ".js")), platform);
  await Bun.write(join(directory, ELSEWHERE), elsewhere(await exportedNames(entries, directory)));
}

/** Every name that is a value somewhere in the public API, read from what was built. */
async function exportedNames(entries: EntryPoints, directory: string): Promise<string[]> {
  const transpiler = new Bun.Transpiler({ loader: "js" });
  const files = Object.values(entries).map((file) => join(directory, built(file, ".js")));
  const names = await Promise.all(files.map(async (file) => transpiler.scan(await Bun.file(file).text()).exports));
  return [...new Set(names.flat())].sort();
}

/** Names first, or the import itself would fail, with a message about names. */
function elsewhere(names: readonly string[]): string {
  const declared = names.filter((name) => name !== "default").map((name) => `export const ${name} = undefined;`);
  return `${[
    "// For every runtime but Bun.",
    ...declared,
    "export default undefined;",
    'throw new Error("cronflow-ffi runs on Bun 1.4 or newer, not here: install Bun and start the program with `bun run`.");',
  ].join("\n")}\n`;
}
