/** Makes the packages as they are published: `cronflow-ffi`, and the one with the native library of a platform. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Core } from "../runtime/native/binding.ts";
import { VERSION } from "../runtime/native/generated.ts";
import { builtLibrary } from "../runtime/native/library.ts";
import { copyDocuments } from "./documents.ts";
import { buildJavaScript, entryPoints } from "./javascript.ts";
import { mainManifest, platformManifest, readSource, type Source } from "./manifest.ts";
import { notices } from "./notices.ts";
import { type Platform, packageName, platform } from "./platforms.ts";
import { buildTypes } from "./types.ts";

const ROOT = join(import.meta.dir, "..");

/** One package: its files, and the archive that a registry serves. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly directory: string;
  readonly archive: string;
}

export interface Packed {
  readonly main: Package;
  readonly platform: Package;
}

/** Below `directory`, one folder and one archive for each package. What was there of them is replaced. */
export async function pack(directory: string, library: string = builtLibrary()): Promise<Packed> {
  const source = await readSource();
  refuseDrift(source.version);
  const into = { directory, version: source.version };
  const main = await make(into, source.name, (folder) => fillMain(folder, source));
  const ours = platform();
  return {
    main,
    platform: await make(into, packageName(ours), (folder) => fillPlatform(folder, source, ours, library)),
  };
}

/** The runtime asks for the platform's package, and the library, of the version that it was generated with. */
function refuseDrift(version: string): void {
  if (version === VERSION) return;
  throw new Error(
    `package.json says version ${version}, runtime/native/generated.ts ${VERSION}: set the same \`version\` in package.json ` +
      "and in Cargo.toml, let `cargo test -p cronflow-native --test generated` write that file, and build the library again.",
  );
}

interface Into {
  readonly directory: string;
  readonly version: string;
}

async function make(
  { directory, version }: Into,
  name: string,
  fill: (folder: string) => Promise<void>,
): Promise<Package> {
  const folder = join(directory, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await fill(folder);
  const packing = Bun.spawn([process.execPath, "pm", "pack", "--quiet", "--destination", directory], {
    cwd: folder,
    stdout: "pipe",
    stderr: "inherit",
  });
  const [output, code] = await Promise.all([packing.stdout.text(), packing.exited]);
  if (code !== 0) throw new Error(`${name} could not be packed:\n${output}`);
  return { name, version, directory: folder, archive: join(directory, `${name}-${version}.tgz`) };
}

async function fillMain(folder: string, source: Source): Promise<void> {
  const entries = await entryPoints(source.exports);
  await Promise.all([
    buildJavaScript(entries, source.imports, folder),
    buildTypes(entries, folder),
    copyDocuments(folder),
  ]);
  await writeManifest(folder, mainManifest(source, entries));
}

async function fillPlatform(folder: string, source: Source, of: Platform, library: string): Promise<void> {
  const build = buildOf(library);
  await Bun.write(join(folder, of.library), Bun.file(library));
  await Bun.write(
    join(folder, "index.js"),
    `import library from "./${of.library}" with { type: "file" };\n\nexport default library;\nexport const build = "${build}";\n`,
  );
  await Bun.write(join(folder, "LICENSE"), Bun.file(join(ROOT, "LICENSE")));
  await Bun.write(join(folder, "THIRD-PARTY.md"), await notices(of.target));
  const manifest = platformManifest(source, of);
  await Bun.write(join(folder, "README.md"), `# ${manifest["name"]}\n\n${manifest["description"]}\n`);
  await writeManifest(folder, manifest);
}

function writeManifest(folder: string, manifest: Record<string, unknown>): Promise<number> {
  return Bun.write(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/** The library says itself which build it is; opening it also refuses one of another version. */
function buildOf(path: string): string {
  const core = new Core({ database: ":memory:", inline: true }, { path });
  try {
    return core.about.build;
  } finally {
    core.close();
  }
}
