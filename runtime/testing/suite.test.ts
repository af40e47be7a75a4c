/** Suites of users: large ones, in parallel, in plain programs; what they leave behind, and what programs carry. */
import { expect, onTestFinished, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { TESTS, writeLargeSuite } from "./large-suite.testing.ts";

const ROOT = join(import.meta.dir, "..", "..");

async function scratch(): Promise<string> {
  const folder = await writeLargeSuite();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs bun to its end, which it comes to by itself. */
async function bun(folder: string, ...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn([process.execPath, ...words], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

test.each([[[]], [["--concurrent"]], [["--parallel=2", "--parallel-delay=0"]], [["--randomize"]]])(
  "a large suite passes, ends by itself, and leaves nothing behind: %p",
  async (flags) => {
    const folder = await scratch();
    const files = readdirSync(folder);
    const { code, stderr } = await bun(folder, "test", ...flags);
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(` ${TESTS} pass\n 0 fail`) });
    expect(readdirSync(folder)).toEqual(files);
  },
  30_000,
);

test("a failing expectation fails the test, and shows its line", async () => {
  const folder = await scratch();
  await Bun.write(
    join(folder, "failing.test.ts"),
    `import { test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
test("fails", async () => {
  await createCronflow().define({ id: "w" }).manual().step("a", () => 1).test()
    .trigger()
    .expectStep("a").toFail()
    .run();
});
`,
  );
  const { code, stderr } = await bun(folder, "test", "failing");
  expect(code).toBe(1);
  expect(stderr).toContain("ExpectationError: expected step `a` to fail, but it succeeded.");
  expect(stderr).toMatch(/failing\.test\.ts:6:/);
});

test("a plain program that tests a workflow ends by itself, also when it forgets to close an app", async () => {
  const folder = await scratch();
  await Bun.write(
    join(folder, "program.ts"),
    `import { createCronflow } from "cronflow-ffi";
import { never, testApp } from "cronflow-ffi/testing";
const workflow = createCronflow().define({ id: "w" }).manual().sleep("1d").step("a", () => 1);
console.log((await workflow.test().trigger().advance("1d").run()).output);
const app = testApp([workflow]).mockStep(workflow, "a", never);
await app.trigger(workflow);
await app.advance("1d");
console.log((await app.run(workflow)).status);
`,
  );
  const ended = await bun(folder, "program.ts");
  expect(ended).toEqual({ code: 0, stdout: "1\nrunning\n", stderr: "" });
});

test("a program that is bundled carries no test kit", async () => {
  const built = await Bun.build({ entrypoints: [join(ROOT, "runtime", "index.ts")], target: "bun" });
  const text = await (built.outputs[0] as Blob).text();
  expect(text).toContain("NonRetryableError");
  for (const word of ["ExpectationError", "VirtualClock", "InstrumentedDefinition"]) expect(text).not.toContain(word);
});
