/** What is in the packages: all of what users need, nothing else, in the form that compilers and bundlers take. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { Package } from "./pack.ts";
import { PLATFORMS, packageName, platform } from "./platforms.ts";
import { packForTests } from "./testing.ts";

const ROOT = join(import.meta.dir, "..");
const packed = await packForTests();
const ours = platform();
/** Of a library that is to be published more is asked: .github/workflows/release.yml builds without paths, for an old system. */
const isRelease = process.env["CRONFLOW_RELEASE"] === "1";
/** The glibc that Rust itself asks for. */
const OLDEST = { major: 2, minor: 17 };

interface Manifest {
  readonly version: string;
  readonly scripts?: object;
  readonly exports: Record<string, Record<string, string> | string>;
  readonly optionalDependencies: Record<string, string>;
  readonly os?: string[];
  readonly cpu?: string[];
  readonly libc?: string[];
}

async function manifestIn(directory: string): Promise<Manifest> {
  return (await Bun.file(join(directory, "package.json")).json()) as Manifest;
}

async function listed(archive: string): Promise<string[]> {
  // By its name alone: for some, a colon in a path is that of a remote host.
  const command = ["tar", "-tzf", basename(archive)];
  const tar = Bun.spawn(command, { cwd: dirname(archive), stdout: "pipe", stderr: "inherit" });
  const names = (await tar.stdout.text()).trim().split("\n");
  return names.map((name) => name.replace(/^package\//, "")).sort();
}

/** What is to be read in a package: all of it but the library. */
async function texts({ archive, directory }: Package): Promise<{ file: string; text: string }[]> {
  const files = (await listed(archive)).filter((file) => file !== ours.library);
  return Promise.all(files.map(async (file) => ({ file, text: await Bun.file(join(directory, file)).text() })));
}

async function libraryBytes(): Promise<Buffer> {
  return Buffer.from(await Bun.file(join(packed.platform.directory, ours.library)).bytes());
}

test("the main package holds what users need, and nothing else", async () => {
  const files = await listed(packed.main.archive);
  const fixed = ["CHANGELOG.md", "LICENSE", "README.md", "llms.txt", "native/include/cronflow.h", "package.json"];
  const allowed = [
    /^dist\/chunks\/\w+\.js$/,
    /^dist\/elsewhere\.js$/,
    /^dist\/(runtime|services)\/[\w/-]+\.(js|d\.ts)$/,
    /^docs\/(guide\/)?[\w-]+\.md$/,
  ];
  expect(files.filter((file) => !fixed.includes(file) && !allowed.some((pattern) => pattern.test(file)))).toEqual([]);
  expect(fixed.filter((file) => !files.includes(file))).toEqual([]);
  expect(files.filter((file) => /\.test\.|\.testing\.|template|fuzz|recovery/.test(file))).toEqual([]);
});

test("a platform's package holds the library and the module that names it", async () => {
  const documents = ["LICENSE", "README.md", "THIRD-PARTY.md"];
  expect(await listed(packed.platform.archive)).toEqual(
    [...documents, "index.js", ours.library, "package.json"].sort(),
  );
  const module = (await import(join(packed.platform.directory, "index.js"))) as { default: string; build: string };
  expect(module.default).toBe(join(packed.platform.directory, ours.library));
  expect(module.build).toMatch(/^[0-9a-f]{16}$/);
});

test("nothing tells of the machine it was made on", async () => {
  const places = [ROOT, homedir()].flatMap((path) => [path, path.replaceAll("\\", "/"), path.replaceAll("\\", "\\\\")]);
  const tells = (text: string): boolean => places.some((place) => text.includes(place)) || /^\/\/ \.\.\//m.test(text);
  const all = [...(await texts(packed.main)), ...(await texts(packed.platform))];
  expect(all.filter(({ text }) => tells(text)).map(({ file }) => file)).toEqual([]);
  const library = await libraryBytes();
  // A build that is not for release has the paths in it where cargo keeps the sources of crates.
  expect((isRelease ? places : [ROOT]).filter((place) => library.includes(place))).toEqual([]);
});

test.skipIf(!isRelease || ours.libc !== "glibc")("the library asks for no newer glibc than Rust does", async () => {
  const versions = (await libraryBytes()).toString("latin1").matchAll(/GLIBC_(\d+)\.(\d+)/g);
  const asked = [...versions].map(([, major, minor]) => ({ major: Number(major), minor: Number(minor) }));
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.filter(({ major, minor }) => major > OLDEST.major || minor > OLDEST.minor)).toEqual([]);
});

test.skipIf(!isRelease || ours.os !== "win32")("the library needs no runtime of Visual C++", async () => {
  expect((await libraryBytes()).toString("latin1")).not.toMatch(/(vcruntime|msvcp)\d+\.dll/i);
});

test.skipIf(!isRelease || ours.libc !== "musl")("the library shares the C library of the process", async () => {
  expect((await libraryBytes()).toString("latin1")).toContain(`libc.musl-${ours.target.split("-", 1)[0]}.so.1`);
});

test("with the library come the licences of what is linked into it", async () => {
  const file = await Bun.file(join(packed.platform.directory, "THIRD-PARTY.md")).text();
  const rows = [...file.matchAll(/^\| ([\w-]+) +\| +([\d.]+\S*) \| (.+?) +\| (.+?) +\| +([\d, ]+) \|$/gm)];
  const crates = new Map(rows.map(([, name = "", , license, , numbers = ""]) => [name, { license, numbers }]));
  expect([...crates.keys()]).toContainValues(["jiff", "libsqlite3-sys", "rusqlite", "serde_json"]);
  expect([...crates.keys()]).not.toContainAnyValues(["cc", "cbindgen", "cronflow-native", "serde_derive", "tempfile"]);
  for (const { license, numbers } of crates.values()) {
    expect(license).toMatch(/MIT|Zlib/);
    for (const number of numbers.split(", ")) {
      const [, after = ""] = file.split(`\n## Text ${number}\n\n\`\`\`text\n`);
      const [text = ""] = after.split("\n```\n");
      expect(text).toMatch(/Permission is hereby granted|Permission is granted|Apache License/);
    }
  }
});

test("no module is marked as bundled: Bun would speak of our source maps under every error of a user", async () => {
  const modules = (await texts(packed.main)).filter(({ file }) => file.endsWith(".js"));
  expect(modules.length).toBeGreaterThan(8);
  expect(modules.filter(({ text }) => text.startsWith("// @bun")).map(({ file }) => file)).toEqual([]);
});

test("one version, exact, and no script that runs when it is installed", async () => {
  const main = await manifestIn(packed.main.directory);
  const other = await manifestIn(packed.platform.directory);
  expect(main.scripts).toBeUndefined();
  expect(other.scripts).toBeUndefined();
  expect(other.version).toBe(main.version);
  expect(main.optionalDependencies).toEqual(
    Object.fromEntries(PLATFORMS.map((platform) => [packageName(platform), main.version])),
  );
  expect({ os: other.os, cpu: other.cpu, libc: other.libc }).toEqual({
    os: [ours.os],
    cpu: [ours.cpu],
    libc: ours.libc === undefined ? undefined : [ours.libc],
  });
});

test("each platform that is published has a literal `require` in the loader", async () => {
  const loader = await Bun.file(join(packed.main.directory, "dist/runtime/native/platform.js")).text();
  const required = [...loader.matchAll(/return require\("([\w-]+)"\);\n {4}\} catch/g)].map(([, name]) => name);
  expect(required).toEqual(PLATFORMS.map(packageName));
  expect(loader).not.toContain("import.meta.require");
});

test("every subpath has types, code for Bun, and a sentence for others", async () => {
  const { exports } = await manifestIn(packed.main.directory);
  const subpaths = Object.entries(exports).filter(([subpath]) => subpath !== "./package.json");
  expect(subpaths.map(([subpath]) => subpath)).toContain("./services/email");
  for (const [, conditions] of subpaths) {
    expect(Object.keys(conditions)).toEqual(["types", "bun", "default"]);
    for (const file of Object.values(conditions)) expect(existsSync(join(packed.main.directory, file))).toBeTrue();
  }
});

test("links of the documents lead to what is in the package", async () => {
  const documents = (await listed(packed.main.archive)).filter((file) => /\.(md|txt)$/.test(file));
  for (const document of documents) {
    const text = await Bun.file(join(packed.main.directory, document)).text();
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      expect(`${document}: ${target}: ${existsSync(join(packed.main.directory, dirname(document), target))}`).toEndWith(
        "true",
      );
    }
  }
  const map = await Bun.file(join(packed.main.directory, "llms.txt")).text();
  expect(map).toContain("cronflow.start(");
  expect(map).toContain("](docs/guide/flow.md)");
  expect(map).not.toMatch(/^MIT$/m);
  const readme = await Bun.file(join(packed.main.directory, "README.md")).text();
  for (const text of [map, readme]) {
    expect(text).not.toMatch(/npm run demo|docs\/README\.md|bench\/README\.md|Where is what|How fast/);
    expect(text).toContain("## What there is");
  }
});

/** The file of a package's command. What is in `node_modules/.bin` is on Windows no script. */
async function commandOf(name: string, tool: string): Promise<string> {
  const directory = join(ROOT, "node_modules", name);
  const { bin } = (await Bun.file(join(directory, "package.json")).json()) as { bin: Record<string, string> };
  const file = bin[tool];
  if (file === undefined) throw new Error(`${name} has no command ${tool}`);
  return join(directory, file);
}

test.each([
  ["publint", "publint", ["run", packed.main.directory, "--strict"], "All good!"],
  ["publint", "publint", ["run", packed.platform.directory, "--strict"], "All good!"],
  ["attw", "@arethetypeswrong/cli", [packed.main.archive, "--profile", "esm-only"], "cronflow-ffi/testing"],
])(
  "%s (%s) finds nothing in %p",
  async (tool, name, given, good) => {
    const child = Bun.spawn([process.execPath, await commandOf(name, tool), ...given], {
      stdout: "pipe",
      stderr: "pipe",
      cwd: ROOT,
    });
    const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: expect.stringContaining(good) });
  },
  60_000,
);
