/** A test tells what would happen: the same history as on an engine with a file, a thread and the time on the wall. */
import { expect, test } from "bun:test";
import { type AttemptRecord, type Cronflow, createCronflow, NonRetryableError } from "cronflow-ffi";
import { testApp } from "cronflow-ffi/testing";
import { testEngine } from "./engines.ts";

/** Every kind of node, with waits of some milliseconds. */
function define(engine: Cronflow) {
  const child = engine
    .define({ id: "child" })
    .manual()
    .step("twice", (ctx) => Number(ctx.payload) * 2)
    .sleep("5ms");
  const workflow = engine
    .define({ id: "everything", retry: { attempts: 3, backoff: { strategy: "fixed", delay: "5ms" } } })
    .manual()
    .step("flaky", (ctx) => {
      if (ctx.attempt < 3) throw new Error("not yet");
      return ctx.state.incr("runs");
    })
    .step("handled", (): string => {
      throw new NonRetryableError("no");
    })
    .onError((ctx) => ctx.error.message)
    .parallel({
      slow: (flow) => flow.sleep("10ms", { name: "nap" }).step("slow", () => "slow"),
      fast: () => "fast",
    })
    .race([
      (flow) => flow.sleep("1d", { name: "long" }).step("late", () => "late"),
      (flow) => flow.sleep("3ms", { name: "short" }).step("first", () => "first"),
    ])
    .forEach(
      "each",
      [1, 2, 3],
      (item, flow) =>
        flow
          .step("square", () => item * item)
          .if("large", (ctx) => ctx.last > 3)
          .action("note", (ctx) => ctx.state.incr("large"))
          .endIf(),
      { concurrency: 2 },
    )
    .batch("some", { items: ["a", "b", "c"], size: 2 }, (_batch, flow) =>
      flow.step("join", (ctx) => ctx.batch.join("")),
    )
    .subflow("call", child, 21)
    .while(
      "grow",
      (ctx) => ctx.last < 100,
      (ctx) => ctx.last * 2,
    )
    .waitForEvent("never", { name: "event", timeout: "5ms" })
    .humanInTheLoop({ name: "person", timeout: "5ms" })
    .step("slow-step", () => new Promise<string>(() => {}))
    .timeout("5ms")
    .retry({ attempts: 1 })
    .onError(() => "timed out")
    .log("done")
    .step("state", (ctx) => [ctx.state.get("runs"), ctx.state.get("large"), ctx.last]);
  return { child, workflow };
}

/**
 * What happened to each node, in order. Which of two paths goes first is a matter of microseconds; and that the token of an
 * approval is told to the test is only there.
 */
function historyOf(attempts: readonly AttemptRecord[]): Record<string, string[]> {
  const rows = attempts.filter(({ handler }) => handler !== "on_pause");
  const keyed = Map.groupBy(rows, ({ step, scope }) => `${step}@${scope}`);
  const text = ({ handler, attempt, status, output, error, retryAt }: AttemptRecord): string =>
    JSON.stringify({ handler, attempt, status, output, error: error?.message, isRetried: retryAt !== undefined });
  return Object.fromEntries([...keyed].sort().map(([key, same]) => [key, same.map(text)]));
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

test("the history of a test is that of a real run", async () => {
  const engine = testEngine();
  const real = define(engine);
  await engine.start();
  const runId = await engine.trigger(real.workflow);
  await engine.result(runId);
  const record = await engine.inspect(runId);

  const { workflow, child } = define(createCronflow());
  const result = await workflow
    .test({ with: [child], patience: 1, log: silent })
    .trigger()
    .advance("1m")
    .run();
  expect(historyOf(result.history)).toEqual(historyOf(record.attempts));
  expect([result.status, result.output]).toEqual([record.status, record.output as never]);
  expect(result.output).toEqual([1, 2, "timed out"]);
});

test("a process that dies in any of its handlers changes nothing, and counts nothing twice", async () => {
  const { workflow, child } = define(createCronflow());
  const { output } = await workflow
    .test({ with: [child], patience: 1, log: silent })
    .mockStep("flaky", (ctx) => ctx.state.incr("runs"))
    .trigger()
    .advance("1m")
    .runWithCrashes();
  expect(output).toEqual([1, 2, "timed out"]);
});

test("two runs of a test are the same to the millisecond", async () => {
  const once = async (): Promise<string> => {
    const { workflow, child } = define(createCronflow());
    await using app = testApp([workflow, child], { patience: 1, log: silent });
    await app.trigger(workflow);
    await app.advance("1m");
    return JSON.stringify((await app.inspect(workflow)).attempts, (key, value) =>
      key === "stack" ? undefined : value,
    );
  };
  expect(await once()).toBe(await once());
});
