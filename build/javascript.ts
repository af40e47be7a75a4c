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
    for await (const path of new Bun.Glob(pattern).scan(ROOT)) {
      const match = path.replaceAll("\\", "/");
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

/** Where a file is after the build, from the root of the package. */
export function built(file: string, extension: ".js" | ".d.ts"): string {
  return `dist/${file.replace(/^\.\//, "").replace(/\.ts$/, extension)}`;
}

/** The modules of `imports` of package.json: files that stay files of their own, by their names. Why, they say. */
export type Unbundled = Readonly<Record<string, string>>;

/** What Node and other runtimes get. */
export const ELSEWHERE = "dist/elsewhere.js";

/** Builds all entry points into `<directory>/dist`. */
export async function buildJavaScript(entries: EntryPoints, unbundled: Unbundled, directory: string): Promise<void> {
  const dist = join(directory, "dist");
  await rm(dist, { recursive: true, force: true });
  await bundle(Object.values(entries), Object.keys(unbundled), dist);
  await unmark(dist);
  // For target `bun` it would put `import.meta.require` in the way.
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "node" });
  for (const file of Object.values(unbundled)) {
    const text = await transpiler.transform(await Bun.file(join(ROOT, file)).text());
    await Bun.write(join(directory, built(file, ".js")), text);
  }
  await Bun.write(join(directory, ELSEWHERE), elsewhere(await exportedNames(entries, directory)));
}

/** By the command and in the checkout: what it writes of where modules were is relative to the folder it runs in. */
async function bundle(files: readonly string[], external: readonly string[], dist: string): Promise<void> {
  const names = ["--entry-naming=[dir]/[name].js", "--chunk-naming=chunks/[hash].js"];
  const layout = ["--root=.", `--outdir=${dist}`, "--splitting", ...names];
  const kept = ["--packages=external", ...external.map((name) => `--external=${name}`)];
  const command = [process.execPath, "build", ...files, "--target=bun", "--format=esm", ...layout, ...kept];
  const bundling = Bun.spawn(command, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [output, errors, code] = await Promise.all([bundling.stdout.text(), bundling.stderr.text(), bundling.exited]);
  if (code !== 0) throw new Error(`The runtime could not be bundled:\n${output}${errors}`);
}

/**
 * Takes the `// @bun` away that the bundler puts first. It spares Bun next to nothing, and makes it close every uncaught
 * error of a user's program with advice about our source maps.
 */
async function unmark(dist: string): Promise<void> {
  for await (const name of new Bun.Glob("**/*.js").scan(dist)) {
    const file = Bun.file(join(dist, name));
    await Bun.write(file, (await file.text()).replace(/^\/\/ @bun.*\n/, ""));
  }
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
