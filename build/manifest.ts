/** What the package.json of each published package says. */
import { join } from "node:path";
import { built, ELSEWHERE, type EntryPoints, type Unbundled } from "./javascript.ts";
import { PLATFORMS, type Platform, packageName } from "./platforms.ts";

/** The parts of this checkout's package.json that the published ones are made of. */
export interface Source {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | null>>;
  readonly imports: Unbundled;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export async function readSource(): Promise<Source> {
  return (await Bun.file(join(import.meta.dir, "..", "package.json")).json()) as Source;
}

/** Of `cronflow-ffi`. No lifecycle scripts: Bun runs none of a dependency, and npm asks. */
export function mainManifest(source: Source, entries: EntryPoints): Record<string, unknown> {
  const { name, version, description, license, engines } = source;
  return {
    name,
    version,
    description,
    keywords: ["workflow", "durable", "engine", "bun", "sqlite", "cron", "webhook", "ffi"],
    license,
    ...repository(),
    type: "module",
    engines,
    exports: {
      ...Object.fromEntries(Object.entries(entries).map(([subpath, file]) => [subpath, conditions(file)])),
      "./package.json": "./package.json",
    },
    imports: Object.fromEntries(
      Object.entries(source.imports).map(([name, file]) => [name, `./${built(file, ".js")}`]),
    ),
    files: ["dist", "native/include", "docs", "llms.txt", "CHANGELOG.md"],
    dependencies: source.dependencies,
    optionalDependencies: Object.fromEntries(PLATFORMS.map((each) => [packageName(each), version])),
    peerDependencies: source.peerDependencies,
    peerDependenciesMeta: source.peerDependenciesMeta,
  };
}

/** Types first: the order is what decides. */
function conditions(file: string): Record<string, string> {
  return { types: `./${built(file, ".d.ts")}`, bun: `./${built(file, ".js")}`, default: `./${ELSEWHERE}` };
}

/** Of the package with the library of a platform. */
export function platformManifest(source: Source, platform: Platform): Record<string, unknown> {
  return {
    name: packageName(platform),
    version: source.version,
    description: `The native library of cronflow-ffi for ${platform.name}. It is installed with cronflow-ffi; nothing else uses it.`,
    license: source.license,
    ...repository(),
    type: "module",
    exports: { ".": "./index.js", "./package.json": "./package.json" },
    files: ["index.js", platform.library, "THIRD-PARTY.md"],
    os: [platform.os],
    cpu: [platform.cpu],
    ...(platform.libc === undefined ? {} : { libc: [platform.libc] }),
  };
}

/** Provenance needs to know where the sources are; the release workflow says so. */
function repository(): Record<string, unknown> {
  const slug = process.env["GITHUB_REPOSITORY"];
  return slug === undefined ? {} : { repository: { type: "git", url: `git+https://github.com/${slug}.git` } };
}
