/** New code against runs that were recorded. */
import { expect, test } from "bun:test";
import { type Cronflow, createCronflow, NonRetryableError, type RunRecord } from "cronflow-ffi";
import { replayRecorded, testApp } from "cronflow-ffi/testing";

interface Order {
  readonly amount: number;
  readonly items: readonly string[];
}

/** What differs between two versions of the code. */
interface Version {
  readonly limit?: number;
  readonly step?: string;
  readonly calls?: string[];
  readonly attempts?: number;
}

function define(engine: Cronflow, { limit = 100, step = "charge", calls = [], attempts = 3 }: Version = {}) {
  return engine
    .define({
      id: "orders",
      hooks: { onSuccess: () => calls.push("hook"), onFailure: () => calls.push("hook") },
    })
    .manual()
    .step(step, (ctx) => {
      calls.push("charge");
      if (ctx.attempt === 1) throw new Error("busy");
      return { receipt: "r-1" };
    })
    .retry({ attempts, backoff: { strategy: "fixed", delay: "1m" } })
    .if("large", (ctx) => (ctx.payload as Order).amount > limit)
    .humanInTheLoop({ name: "approval", timeout: "1d" })
    .endIf()
    .sleep("3d")
    .forEach(
      "each",
      (ctx) => (ctx.payload as Order).items,
      (item, flow) => flow.step("pack", () => calls.push(`pack ${item}`)).step("label", () => `label ${item}`),
    )
    .waitForEvent("paid", { name: "payment", timeout: "1d" })
    .step("end", (ctx) => ctx.last);
}

/** A recorded run of the first version. */
async function recorded(amount = 200, followed: "paid" | "timeout" | "waits" = "paid"): Promise<RunRecord> {
  const workflow = define(createCronflow());
  await using app = testApp([workflow]);
  const runId = await app.trigger(workflow, { amount, items: ["a", "b"] });
  await app.advance("1m");
  await app.crash();
  if (amount > 100) await app.approve({ by: "ada" });
  await app.advance("3d");
  if (followed === "paid") await app.publish("paid", { n: 5 });
  if (followed === "timeout") await app.advance("2d");
  return app.inspect(runId);
}

test.each(["paid", "timeout", "waits"] as const)("the same code does what was recorded: %s", async (followed) => {
  const calls: string[] = [];
  const workflow = define(createCronflow(), { calls });
  for (const amount of [20, 200]) {
    const record = await recorded(amount, followed);
    for (const given of [record, JSON.stringify(record), JSON.parse(JSON.stringify(record))]) {
      const report = await replayRecorded(given, workflow);
      expect(report.difference).toBeUndefined();
      expect(report.message).toBe("The code does what was recorded.");
      expect(report.run).toMatchObject({ status: record.status, output: record.output });
    }
  }
  // Neither handlers nor hooks of the user are called.
  expect(calls).toEqual([]);
});

async function difference(version: Version, record?: RunRecord) {
  const report = await replayRecorded(record ?? (await recorded()), define(createCronflow(), version));
  expect(report.matches).toBe(report.difference === undefined);
  return report.difference;
}

test("a condition that decides otherwise is where they part", async () => {
  expect(await difference({ limit: 500 })).toEqual({
    path: "large (condition)",
    expected: "completed with 0",
    got: "completed with 1",
  });
});

test("a step of another name was never recorded", async () => {
  expect(await difference({ step: "pay" })).toEqual({
    path: "pay",
    expected: "nothing: the recorded run never came there",
    got: "its handler is called",
  });
});

test("a retry policy that gives up earlier is where they part", async () => {
  expect(await difference({ attempts: 1 })).toEqual({
    path: "charge",
    expected: 'completed with {"receipt":"r-1"}',
    got: "it failed: Error: busy",
  });
});

test("a step that was added, and one that was removed", async () => {
  const first = createCronflow()
    .define({ id: "steps" })
    .manual()
    .step("a", () => 1)
    .step("b", () => 2);
  const record = await (async () => {
    await using app = testApp([first]);
    return app.inspect(await app.trigger(first));
  })();
  const added = createCronflow()
    .define({ id: "steps" })
    .manual()
    .step("a", () => 1)
    .step("new", () => 5)
    .step("b", () => 2);
  expect((await replayRecorded(record, added)).message).toBe(
    "They part at `new`: recorded is nothing: the recorded run never came there; now its handler is called.",
  );
  const removed = createCronflow()
    .define({ id: "steps" })
    .manual()
    .step("a", () => 1);
  expect((await replayRecorded(record, removed)).difference).toEqual({
    path: "b",
    expected: "completed with 2",
    got: "there is no such step",
  });
});

test("failures, time-outs, handled errors and races are what was recorded", async () => {
  const make = (calls: string[]) =>
    createCronflow()
      .define({ id: "all" })
      .manual()
      .step("handled", (): string => {
        calls.push("handled");
        throw new NonRetryableError("no");
      })
      .retry({ attempts: 5 })
      .onError(() => {
        calls.push("onError");
        return "instead";
      })
      .race([
        (flow) => flow.step("slow", () => new Promise<string>(() => {})).timeout("1h"),
        (flow) => flow.sleep("1m").step("fast", () => "fast"),
      ])
      .step("late", () => new Promise<string>(() => {}))
      .timeout("2h");
  const workflow = make([]);
  await using app = testApp([workflow], { patience: 10 });
  const runId = await app.trigger(workflow);
  await app.advance("3h");
  const record = await app.inspect(runId);
  expect(record.status).toBe("failed");
  const calls: string[] = [];
  const report = await replayRecorded(record, make(calls));
  expect(report.difference).toBeUndefined();
  expect([report.run.status, report.run.error?.message]).toEqual(["failed", record.error?.message]);
  expect(calls).toEqual([]);
});

test("child runs give what they gave", async () => {
  const engine = createCronflow();
  const child = engine
    .define({ id: "child" })
    .manual()
    .step("work", () => "real");
  const parentOf = (id: string, input: string) =>
    engine
      .define({ id })
      .manual()
      .subflow("call", child, () => input)
      .step("end", (ctx) => ctx.last);
  const parent = parentOf("parent", "input");
  await using app = testApp([child, parent]);
  const record = await app.inspect(await app.trigger(parent));
  expect((await replayRecorded(record, parent)).difference).toBeUndefined();
  expect((await replayRecorded(record, parentOf("other", "changed"))).message).toBe(
    'They part at `call (input)`: recorded is "input"; now it is "changed".',
  );
});

test("what is no record says so", async () => {
  const workflow = define(createCronflow());
  await expect(replayRecorded('{"runId":"x"}', workflow)).rejects.toThrow("give what inspect() gives");
});
