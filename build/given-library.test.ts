/** `bun build.ts pack --library PATH` packs what it is given: it builds nothing before. */
import { expect, test } from "bun:test";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { temporaryDirectory } from "../runtime/testing/engines.ts";

/** Packs with a cargo that only says that it was called, and an option that ends it before anything is made. */
async function packWith(words: readonly string[]): Promise<{ hasBuilt: boolean; said: string }> {
  const directory = temporaryDirectory();
  const [cargo, called] = [join(directory, "cargo"), join(directory, "called")];
  writeFileSync(cargo, `#!/bin/sh\necho "$@" > '${called}'\n`);
  chmodSync(cargo, 0o755);
  const child = Bun.spawn([process.execPath, "build.ts", "pack", ...words, "--no-such-option"], {
    cwd: join(import.meta.dir, ".."),
    env: { ...process.env, PATH: `${directory}${delimiter}${process.env["PATH"]}` },
    stdout: "ignore",
    stderr: "pipe",
  });
  const [said, code] = await Promise.all([child.stderr.text(), child.exited]);
  expect(code).not.toBe(0);
  return { hasBuilt: existsSync(called), said };
}

// What stands for cargo is a program of a shell.
test.skipIf(process.platform === "win32")("a library that is given is not built", async () => {
  for (const words of [["--library", "given.so"], ["--library=given.so"]]) {
    const { hasBuilt, said } = await packWith(words);
    expect([hasBuilt, said]).toEqual([false, expect.stringContaining("--no-such-option")]);
  }
  expect((await packWith([])).hasBuilt).toBe(true);
});
