/** What is in the packages: all of what users need, nothing else, in the form that compilers and bundlers take. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { PLATFORMS, packageName, platform } from "./platforms.ts";
import { packForTests } from "./testing.ts";

const ROOT = join(import.meta.dir, "..");
const packed = await packForTests();
const ours = platform();

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
  const tar = Bun.spawn(["tar", "-tzf", archive], { stdout: "pipe", stderr: "inherit" });
  const names = (await tar.stdout.text()).trim().split("\n");
  return names.map((name) => name.replace(/^package\//, "")).sort();
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
  expect(await listed(packed.platform.archive)).toEqual(["index.js", ours.library, "package.json"].sort());
  const module = (await import(join(packed.platform.directory, "index.js"))) as { default: string; build: string };
  expect(module.default).toBe(join(packed.platform.directory, ours.library));
  expect(module.build).toMatch(/^[0-9a-f]{16}$/);
});

test("nothing tells of the machine it was made on", async () => {
  const texts = (await listed(packed.main.archive)).map((file) => Bun.file(join(packed.main.directory, file)).text());
  const inFolders = new RegExp(`${ROOT}|^// \\.\\./`, "m");
  expect((await Promise.all(texts)).filter((text) => inFolders.test(text))).toEqual([]);
  const library = await Bun.file(join(packed.platform.directory, ours.library)).bytes();
  expect(Buffer.from(library).includes(ROOT)).toBeFalse();
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
});

test.each([
  ["publint", ["run", packed.main.directory, "--strict"], "All good!"],
  ["publint", ["run", packed.platform.directory, "--strict"], "All good!"],
  ["attw", [packed.main.archive, "--profile", "esm-only"], "cronflow-ffi/testing"],
])(
  "%s finds nothing in %p",
  async (tool, given, good) => {
    const bin = join(ROOT, "node_modules", ".bin", tool);
    const child = Bun.spawn([process.execPath, bin, ...given], { stdout: "pipe", stderr: "pipe", cwd: ROOT });
    const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: "", stdout: expect.stringContaining(good) });
  },
  60_000,
);
