/** Which steps and branches tests have reached. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { temporaryDirectory } from "../engines.ts";
import { Scenario } from "../scenario.ts";
import { Coverage } from "./collector.ts";
import { addRun, untouched } from "./reached.ts";
import { CoverageReport, merged, type WorkflowCoverage } from "./report.ts";

const workflow = createCronflow()
  .define({ id: "all" })
  .manual()
  .step("risky", (ctx) => {
    if (ctx.payload === "fails") throw new Error("no");
  })
  .onError(() => undefined)
  .if("first", (ctx) => ctx.payload === 1)
  .step("one", () => 1)
  .elseIf((ctx) => ctx.payload === 2)
  .step("two", () => 2)
  .endIf()
  .if("second", (ctx) => ctx.payload === 1)
  .step("three", () => 3)
  .else()
  .step("four", () => 4)
  .endIf()
  .parallel({ left: (flow) => flow.step("left", () => 1), right: () => 2 }, { name: "both" })
  .while(
    "again",
    (ctx) => ctx.payload === "again",
    (flow) => flow.action("inside", () => 1),
  )
  .forEach(
    "each",
    (ctx) => (ctx.payload === 1 ? ["a", "b"] : []),
    (item, flow) => flow.step("item", () => item),
  )
  .waitForEvent("go", { name: "wait", timeout: "1h" })
  .humanInTheLoop({ name: "ask", timeout: "1h" })
  .sleep("1h", { name: "nap" })
  .step("end", () => "end");

/** What runs of these payloads reach, in a life in which nobody answers. */
async function covered(...payloads: unknown[]): Promise<WorkflowCoverage> {
  const nodes = untouched(workflow.definition);
  const scenario = new Scenario({ definitions: [workflow.definition] });
  await scenario.start();
  for (const payload of payloads) {
    const runId = await scenario.world.startRun("all", payload, { type: "manual" });
    await scenario.world.advance(4 * 3_600_000);
    addRun(nodes, await scenario.view(runId));
  }
  await scenario.close();
  return { workflowId: "all", nodes };
}

/** `node`, or `node: branch`, of all that was reached, and how often. */
function counts({ nodes }: WorkflowCoverage): Record<string, number> {
  const all = nodes.flatMap(({ name, reached, branches }) => [
    [name, reached] as const,
    ...branches.map((branch) => [`${name}: ${branch.name}`, branch.taken] as const),
  ]);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

test("nodes, branches, loops, time-outs and handled errors are counted", async () => {
  expect(counts(await covered())).toEqual({});
  expect(counts(await covered(1, "fails"))).toEqual({
    risky: 2,
    "risky: onError": 1,
    first: 2,
    "first: branch 1": 1,
    "first: no branch": 1,
    one: 1,
    second: 2,
    "second: branch 1": 1,
    "second: else": 1,
    three: 1,
    four: 1,
    both: 2,
    "both: left": 2,
    "both: right": 2,
    left: 2,
    "both.right": 2,
    again: 2,
    each: 2,
    "each: body": 1,
    item: 2,
    wait: 2,
    "wait: timeout": 2,
    ask: 2,
    "ask: timeout": 2,
    nap: 2,
    end: 2,
  });
});

test("the table says what is missing", async () => {
  const report = new CoverageReport([await covered(1)]);
  expect(report.nodes).toEqual({ reached: 15, all: 18 });
  expect(report.text()).toBe(
    [
      "workflow  steps  branches  not reached",
      "all       15/18  7/15      risky (onError), first (branch 2), first (no branch), two, second (else), four, again (body), inside, wait (event), ask (approved), ask (rejected)",
      "all       15/18  7/15",
    ].join("\n"),
  );
  expect(JSON.parse(report.json())).toMatchObject({
    nodes: { reached: 15, all: 18 },
    workflows: [{ workflowId: "all" }],
  });
});

test("parts of several processes are added up", async () => {
  const [one, two] = [await covered(1), await covered(2)];
  const [both] = merged([one, two]) as [WorkflowCoverage];
  expect(counts(both)).toMatchObject({ one: 1, two: 1, risky: 2, "first: branch 1": 1, "first: branch 2": 1 });
  expect(new CoverageReport([both]).nodes.reached).toBe(17);
});

test("a .cancel() that has ended the run is reached", async () => {
  const cancels = createCronflow()
    .define({ id: "cancels" })
    .manual()
    .forEach("each", [1, 2], (item, flow) =>
      flow
        .if("bad", (ctx) => item === ctx.payload)
        .cancel("no", { name: "stop" })
        .endIf(),
    )
    .cancel("in the end", { name: "last" });
  const nodes = untouched(cancels.definition);
  const scenario = new Scenario({ definitions: [cancels.definition] });
  await scenario.start();
  for (const payload of [1, 2, 3]) {
    const runId = await scenario.world.startRun("cancels", payload, { type: "manual" });
    await scenario.world.settle();
    addRun(nodes, await scenario.view(runId));
  }
  await scenario.close();
  expect(counts({ workflowId: "cancels", nodes })).toMatchObject({ each: 3, bad: 5, stop: 2, last: 1 });
});

test("a collector counts what tests reach, from where it is started", async () => {
  const collector = new Coverage(undefined);
  expect(collector.isOn).toBeFalse();
  collector.start();
  collector.add([workflow.definition], []);
  expect(collector.report().nodes).toEqual({ reached: 0, all: 18 });
});

const SUITE = `
  import { expect, test } from "bun:test";
  import { createCronflow } from "cronflow-ffi";

  const workflow = createCronflow()
    .define({ id: "orders" })
    .manual()
    .step("charge", () => 1)
    .if("large", (ctx) => ctx.payload === NUMBER)
    .step("gift", () => 2)
    .endIf();

  test("charges", async () => {
    await workflow.test().trigger(1).expectRun().toComplete().run();
  });
`;

test.each([[[]], [["--isolate"]], [["--parallel=2", "--parallel-delay=0"]]])(
  "CRONFLOW_COVERAGE writes one report of all files: %p",
  async (flags) => {
    const directory = temporaryDirectory();
    // Inside the package, so that its own name resolves.
    const suite = join(import.meta.dir, "..", "..", "..", ".cache", `coverage-${process.pid}-${flags.length}`);
    const files = [1, 2].map((number) => join(suite, `part-${number}${flags[0] ?? ""}.test.ts`));
    for (const [index, file] of files.entries()) await Bun.write(file, SUITE.replace("NUMBER", String(index + 1)));
    const once = async (): Promise<string> => {
      const child = Bun.spawn([process.execPath, "test", ...flags, ...files], {
        env: { ...process.env, CRONFLOW_COVERAGE: directory },
        stdout: "pipe",
        stderr: "pipe",
      });
      const output = await new Response(child.stderr).text();
      expect([await child.exited, output]).toEqual([0, expect.stringContaining("2 pass")]);
      return readFileSync(join(directory, "workflows.txt"), "utf8");
    };
    const first = await once();
    expect(first).toContain("orders    3/3    2/2\n");
    // What an earlier run has left is not counted again.
    expect(await once()).toBe(first);
    const report = JSON.parse(readFileSync(join(directory, "workflows.json"), "utf8"));
    expect(report.workflows[0].nodes[0]).toMatchObject({ name: "charge", reached: 2, position: { line: 8 } });
    const lcov = readFileSync(join(directory, "lcov.info"), "utf8");
    expect(lcov).toContain("FN:8,orders.charge\n");
    expect(lcov).toContain("DA:10,1\n");
    expect(readdirSync(directory).sort()).toEqual(["lcov.info", "parts", "workflows.json", "workflows.txt"]);
    await Bun.$`rm -rf ${suite}`.quiet();
  },
);
