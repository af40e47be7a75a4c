/** Every example is run as it stands, and prints what stands at its end after `// Output:`. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Programs whose output tells times and run ids: they are run by `npm run demo`. */
const SHOWS_TIMES: readonly string[] = ["orders/demo.ts"];

const programs = ["features/*.ts", "*/demo.ts"]
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: import.meta.dir })])
  .sort();

/** What a program says it prints; nothing when it does not say. */
function expectedOutput(program: string): string | undefined {
  const text = readFileSync(join(import.meta.dir, program), "utf8");
  const block = /^\/\/ Output:\n((?:\/\/.*\n?)+)$/m.exec(text)?.[1];
  return block?.replaceAll(/^\/\/ ?/gm, "").trimEnd();
}

test("every program says what it prints, or why it cannot", () => {
  expect(programs.filter((program) => expectedOutput(program) === undefined)).toEqual([...SHOWS_TIMES]);
});

test.concurrent.each(programs.filter((program) => !SHOWS_TIMES.includes(program)))("%s", async (program) => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, program)], {
    cwd: import.meta.dir,
    env: { ...process.env, NO_COLOR: "1" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ stdout: stdout.trimEnd(), stderr, code }).toEqual({
    stdout: expectedOutput(program) as string,
    stderr: "",
    code: 0,
  });
});
