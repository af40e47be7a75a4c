/** What is added to a workflow when it is too late is refused: nobody would be told of it. */
import { expect, test } from "bun:test";
import { createCronflow, defineService, InvalidError } from "cronflow-ffi";
import { testApp } from "cronflow-ffi/testing";
import { testEngine } from "../testing/engines.ts";

const feed = defineService({
  id: "feed",
  setup: () => ({ actions: {}, triggers: { onItem: () => {} } }),
}).withConfig();

/** Everything that can be added to a workflow of one step. */
function additions(workflow: ReturnType<typeof small>): [what: string, add: () => unknown][] {
  return [
    ["step `pay`", () => workflow.step("pay", () => 2)],
    ["action `tell`", () => workflow.action("tell", () => {})],
    ["if `large`", () => workflow.if("large", () => true)],
    [".retry()", () => workflow.retry({ attempts: 9 })],
    [".onError()", () => workflow.onError(() => 3)],
    [".onInterval()", () => workflow.onInterval("10ms")],
    [".onSchedule()", () => workflow.onSchedule("* * * * *")],
    [".onPoll()", () => workflow.onPoll(() => [], { interval: "1s" })],
    [".onEvent()", () => workflow.onEvent("late")],
    [".onWebhook()", () => workflow.onWebhook("/late")],
    [".onService()", () => workflow.onService(feed, "onItem")],
    [".manual()", () => workflow.manual()],
  ];
}

const small = (engine = createCronflow()) =>
  engine
    .define({ id: "small" })
    .manual()
    .step("one", () => 1);

function refusedIn(workflow: ReturnType<typeof small>): void {
  const [nodes, triggers] = [workflow.definition.nodes.size, workflow.definition.triggers.length];
  for (const [what, add] of additions(workflow)) {
    expect(add).toThrow(InvalidError);
    expect(add).toThrow(`Workflow \`small\`: ${what} comes after start() of an engine, or of a test`);
  }
  expect([workflow.definition.nodes.size, workflow.definition.triggers.length]).toEqual([nodes, triggers]);
}

test("after the start of its engine, and after the stop", async () => {
  const engine = testEngine();
  const workflow = small(engine);
  await engine.start();
  refusedIn(workflow);
  await engine.stop();
  refusedIn(workflow);
  // It is as it was, and can be started again.
  await engine.start();
  expect(await engine.execute(workflow)).toBe(1);
});

test("after a test of it has begun, in whichever engine that is", async () => {
  const tested = small();
  await tested.test().trigger().run();
  refusedIn(tested);

  const engine = createCronflow();
  const ofApp = small(engine);
  await using app = testApp(engine);
  const starting = app.start();
  refusedIn(ofApp);
  await starting;
  // Other workflows of the engine, which the app does not have, may still be defined.
  expect(engine.define({ id: "other" }).step("x", () => 1).id).toBe("other");
});

test("a start that a workflow is refused by leaves it open: what it lacks can be added", async () => {
  const engine = testEngine();
  const open = engine.define({ id: "open" }).if("yes", () => true);
  open.step("in", () => 1);
  await expect(engine.start()).rejects.toThrow("Add .endIf()");
  open.endIf();
  await engine.start();
});

test("a branch and a body take nothing when their function has returned", () => {
  const kept: { step(name: string, handler: () => unknown): unknown }[] = [];
  const keep = <F extends { step(name: string, handler: () => unknown): unknown }>(flow: F): F => {
    kept.push(flow);
    return flow;
  };
  createCronflow()
    .define({ id: "blocks" })
    .parallel([(flow) => keep(flow).step("a", () => 1)], { name: "both" })
    .forEach("each", [1], (_item, flow) => keep(flow).step("b", () => 2));
  for (const [index, where] of ["branch 1 of `both`", "the body of `each`"].entries()) {
    expect(() => kept[index]?.step("late", () => 3)).toThrow(
      `Workflow \`blocks\`: step \`late\` comes after ${where} was built: add steps before its function returns.`,
    );
  }
});
