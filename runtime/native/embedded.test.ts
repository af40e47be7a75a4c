/** What can be seen without an executable; the rest is in `build/single-file.test.ts`. */
import { dlopen, FFIType } from "bun:ffi";
import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../testing/engines.ts";
import { Core } from "./binding.ts";
import { loadable } from "./embedded.ts";
import { findLibrary } from "./library.ts";
import { memoryFile } from "./memory-file.ts";

const LIBRARY = findLibrary().path;
const isLinux = process.platform === "linux";

/** A file of this name in memory, with this text. */
function file(name: string, text: string): string {
  return memoryFile(name, () => Buffer.from(text));
}

/** What a Worker, or another process, needs to say which file it got, and what is in it. */
const ASK = `
import { readFileSync } from "node:fs";
import { memoryFile } from ${JSON.stringify(join(import.meta.dir, "memory-file.ts"))};
const ask = (name) => {
  const path = memoryFile(name, () => Buffer.from("made by who asked"));
  return { path, text: readFileSync(path, "utf8") };
};
`;

test("a library that is not embedded is opened where it is", () => {
  expect(loadable(LIBRARY)).toBe(LIBRARY);
  expect(loadable("./libcronflow.so")).toBe("./libcronflow.so");
});

test("an embedded library that cannot be opened says what was tried and what to do", () => {
  const path = "/$bunfs/root/libcronflow.so"; // Nothing is embedded in this process.
  const open = (): string => loadable(path);
  expect(open).toThrow("could not be opened");
  if (isLinux) expect(open).toThrow(`In memory: ENOENT: no such file or directory, open '${path}'.`);
  expect(open).toThrow(/In \S+: Bun could not write it there\./);
  expect(open).toThrow("set BUN_TMPDIR to one in which this user may write files and execute them");
  expect(open).toThrow("CRONFLOW_LIBRARY takes the path of a copy of the library.");
});

test.if(isLinux)("a file in memory has its bytes for good, and is made once", () => {
  const path = file("once", "first");
  expect(file("once", "second")).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("first");
  expect(file("other", "second")).not.toBe(path);
  const descriptor = openSync(path, "r+");
  expect(() => writeSync(descriptor, "x")).toThrow("EPERM");
  closeSync(descriptor);
  expect(() => writeFileSync(path, "x")).toThrow("EPERM");
  expect(() => truncateSync(path, 1)).toThrow("EPERM");
  expect(readFileSync(path, "utf8")).toBe("first");
});

test.if(isLinux)("Workers find the file that was made before", async () => {
  const directory = temporaryDirectory();
  const program = join(directory, "worker.ts");
  await Bun.write(program, `${ASK}self.postMessage(ask("shared"));`);
  const path = file("shared", "made by the first");
  const worker = new Worker(program);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  expect(await promise).toEqual({ path, text: "made by the first" });
  worker.terminate();
});

test.if(isLinux)("a file of the same name that was inherited is not trusted", async () => {
  const descriptor = Number(file("inherited", "planted").split("/").at(-1));
  const program = join(temporaryDirectory(), "child.ts");
  await Bun.write(program, `${ASK}console.log(readFileSync("/proc/self/fd/3", "utf8"), ask("inherited").text);`);
  const child = Bun.spawn([process.execPath, program], {
    stdio: ["ignore", "pipe", "inherit", descriptor],
  });
  expect(await child.stdout.text()).toBe("planted made by who asked\n");
});

test.if(isLinux)("a file that is still being written is not taken for a whole one", () => {
  const libc = dlopen("libc.so.6", { memfd_create: { args: [FFIType.cstring, FFIType.u32], returns: FFIType.i32 } });
  for (const flags of [1, 1 | 2, 1 | 8]) {
    const descriptor = libc.symbols.memfd_create(Buffer.from(`unfinished-${flags}\0`), flags);
    writeFileSync(descriptor, "hal");
    expect(readFileSync(file(`unfinished-${flags}`, "whole"), "utf8")).toBe("whole");
    closeSync(descriptor);
  }
});

test.if(isLinux)("two mappings of the library in one process keep their hands off each other's database", () => {
  const libraries = ["mapping-one", "mapping-two"].map((name) => ({
    path: memoryFile(name, () => readFileSync(LIBRARY)),
  }));
  const [one, two] = libraries as [{ path: string }, { path: string }];
  const [database, other] = ["a.db", "b.db"].map((name) => join(temporaryDirectory(), name)) as [string, string];
  const first = new Core({ database, inline: true }, one);
  expect(() => new Core({ database, inline: true }, two)).toThrow(`owned by process ${process.pid}`);
  const second = new Core({ database: other, inline: true }, two);
  expect(() => new Core({ database: other, inline: true }, one)).toThrow(`owned by process ${process.pid}`);
  for (const core of [first, second]) expect(core.ask('{"echo":1}')).toBe(1 as never);
  const mapped = readFileSync("/proc/self/maps", "utf8").match(/\/memfd:mapping-\w+/g);
  expect([...new Set(mapped)].sort()).toEqual(["/memfd:mapping-one", "/memfd:mapping-two"]);
  first.close();
  const third = new Core({ database, inline: true }, two);
  expect(third.ask('{"echo":2}')).toBe(2 as never);
  for (const core of [second, third]) core.close();
});
