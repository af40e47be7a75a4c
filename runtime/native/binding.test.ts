import { afterEach, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryDirectory } from "../testing/engines.ts";
import { Core } from "./binding.ts";
import { ABI_VERSION } from "./generated.ts";
import { findLibrary } from "./library.ts";

const isWindows = process.platform === "win32";
const cores: Core[] = [];
afterEach(() => {
  for (const core of cores.splice(0)) core.close();
});

function open(config: Partial<ConstructorParameters<typeof Core>[0]> = {}, path?: string): Core {
  const library = path === undefined ? findLibrary() : { path };
  const core = new Core({ database: ":memory:", inline: true, ...config }, library);
  cores.push(core);
  return core;
}

test.each([0, 1, 100, 10_000, 100_000, 1_000_000])(
  "echoes %d characters of every width unchanged, whatever the buffers held",
  (length) => {
    const core = open();
    const value = { text: 'aü€😀\u0000"\\'.repeat(Math.ceil(length / 8)), nested: [[{}], null, 1.5] };
    for (let round = 0; round < 3; round += 1) expect(core.ask(`{"echo":${JSON.stringify(value)}}`)).toEqual(value);
  },
);

// There are no socket pairs on Windows: `pump.test.ts` tries how one learns of answers without.
test.skipIf(isWindows)("answers from the thread wake the event loop", async () => {
  const core = open({ inline: false });
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = await Bun.connect({ fd: core.about.wake_fd, socket: { data: () => resolve() } } as never);
  expect(core.take()).toBeUndefined();
  expect(core.submit('{"seq":1,"now_ms":1,"commands":[{"echo":"up"}]}')).toBeTrue();
  await promise;
  expect(core.take()).toEqual({ requests: [{ seq: 1, results: ["up" as never] }] });
  (socket as unknown as { end(): void }).end();
});

test("a closed core says so, and closing twice does nothing", () => {
  const core = open();
  core.close();
  core.close();
  expect(() => core.call("{}")).toThrow("closed");
  expect(() => core.take()).toThrow("closed");
});

test("a missing library says how to get one", () => {
  expect(() => findLibrary({ CRONFLOW_LIBRARY: "/nowhere/libcronflow.so" })).toThrow("which does not exist");
  expect(existsSync(findLibrary({}).path)).toBeTrue();
});

test("a library that is none, or of another version, is refused with what to do", async () => {
  // What is loaded cannot be deleted on Windows.
  const directory = isWindows ? mkdtempSync(join(tmpdir(), "cronflow-test-")) : temporaryDirectory();
  const text = join(directory, "text.so");
  await Bun.write(text, "not a library");
  expect(() => open({}, text)).toThrow("is not a native library of cronflow-ffi");

  const copy = join(directory, "copy.so");
  copyFileSync(findLibrary({}).path, copy);
  expect(open({}, copy).ask('{"echo":1}')).toBe(1 as never);

  if (isWindows && Bun.which("cc") === null)
    return console.log("the other version is not tested: there is no compiler");
  const source = join(directory, "other.c");
  const names = ["open", "call", "submit", "take", "close"].map((name) => `int cronflow_${name}(void) { return 0; }`);
  await Bun.write(source, `unsigned cronflow_abi_version(void) { return 99; }\n${names.join("\n")}\n`);
  const other = join(directory, "other.so");
  expect(Bun.spawnSync(["cc", "-shared", "-fPIC", "-o", other, source]).exitCode).toBe(0);
  expect(() => open({}, other)).toThrow(`has ABI version 99, this cronflow-ffi needs ${ABI_VERSION}`);
});

// On Windows there is no tool that shows them.
test.skipIf(isWindows)("exports exactly the six functions of the header", async () => {
  const header = await Bun.file(join(import.meta.dir, "../../native/include/cronflow.h")).text();
  const declared = [...header.matchAll(/(cronflow_\w+)\(/g)].map((match) => match[1] as string).sort();
  // In a library of macOS each name has an underscore before it.
  const options = process.platform === "darwin" ? ["-gU"] : ["-D", "--defined-only"];
  const symbols = Bun.spawnSync(["nm", ...options, findLibrary({}).path]).stdout.toString();
  const exported = [...symbols.matchAll(/ T _?(cronflow_\w+)/g)].map((match) => match[1] as string).sort();
  expect(exported).toEqual(declared);
  expect(exported).toHaveLength(6);
});
