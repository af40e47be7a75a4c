/** A branch that is taken for a handler although it hands its flow on: what it is told when it runs. */
import { expect, test } from "bun:test";
import { createCronflow, type Flow, type RunRecord } from "cronflow-ffi";
import { testEngine } from "../testing/engines.ts";

const build = <P, L>(flow: Flow<P, L>) => flow.step("built", () => "built");

/** What a run of it fails with, and how often it was tried. */
async function failure(define: (engine: ReturnType<typeof testEngine>) => { readonly id: string }): Promise<RunRecord> {
  const engine = testEngine();
  const { id } = define(engine);
  await engine.start();
  const runId = await engine.trigger(id);
  await engine.result(runId).catch(() => {});
  return engine.inspect(runId);
}

test.each<[what: string, where: string, Parameters<typeof failure>[0]]>([
  [
    "a branch",
    "parallel `both`, number 1: branch 2 of `both`",
    (engine) =>
      engine
        .define({ id: "w", retry: { attempts: 5, backoff: { delay: 1 } } })
        .parallel([() => 1, (flow) => build(flow)], { name: "both" }),
  ],
  [
    "a branch with a name",
    "parallel `named`, number 1: branch b of `named`",
    (engine) => engine.define({ id: "w" }).parallel({ b: (flow) => build(flow) }, { name: "named" }),
  ],
  [
    "the body of a while",
    "while `loop`, number 1: the body of `loop`",
    (engine) =>
      engine
        .define({ id: "w" })
        .manual()
        .while<string | undefined>(
          "loop",
          () => true,
          (flow) => build(flow),
        ),
  ],
])("%s that only hands its flow on is told how to write it", async (_what, where, define) => {
  const { status, error, attempts } = await failure(define);
  expect([status, error?.name]).toEqual(["failed", "InvalidError"]);
  expect(error?.message).toContain(
    `Workflow \`w\`, ${where} was taken for a handler, and it calls .step() as one that builds a flow. Its text must call a flow's method on its parameter: write \`(flow) => build(flow).step(…)\`, or build in place.`,
  );
  // No other attempt would help.
  expect(attempts.filter(({ step, attempt }) => step !== "both" && attempt > 1)).toEqual([]);
});

test("a handler of a branch has the whole context, as any other", async () => {
  const workflow = createCronflow()
    .define({ id: "w" })
    .manual()
    .step("before", () => 20)
    .parallel([
      (ctx) => [ctx.last, ctx.steps.before.output, ctx.payload, ctx.attempt, ctx.run.workflowId],
      ({ last, signal, log, state }) => [last, signal.aborted, typeof log.info, state.incr("n")],
      (ctx) => Object.keys(ctx.steps),
    ])
    .race([(ctx) => ctx.cancel("enough")]);
  const { steps, status, error } = await workflow.test().trigger("p").run();
  expect(Object.entries(steps).find(([name]) => name.startsWith("parallel"))?.[1].output).toEqual([
    [20, 20, "p", 1, "w"],
    [20, false, "function", 1],
    ["before"],
  ]);
  expect([status, error?.message]).toEqual(["cancelled", "enough"]);
});
