/** A test of one workflow: what happens in it, and what it gives. */
import { expect, spyOn, test } from "bun:test";
import { createCronflow, defineService, NonRetryableError, secret } from "cronflow-ffi";
import { never } from "cronflow-ffi/testing";
import { z } from "zod";

test("time passes as it does on the wall, from timer to timer, in no time", async () => {
  let calls = 0;
  const workflow = createCronflow()
    .define({ id: "slow" })
    .manual()
    .sleep("1d")
    .sleep("1d")
    .step("flaky", () => {
      calls += 1;
      if (calls < 5) throw new Error("not yet");
      return calls;
    })
    .retry({ attempts: 5, backoff: { delay: "1h" } })
    .sleep("1d");
  const began = performance.now();
  const result = await workflow.test().trigger().advance("4d").run();
  expect(performance.now() - began).toBeLessThan(86_400_000);
  expect({ status: result.status, output: result.output }).toEqual({ status: "completed", output: 5 });
  // No delay is longer than an hour.
  const hours = (at: Date): number => (at.getTime() - Date.UTC(2026, 0, 1)) / 3_600_000;
  const attempts = result.history.filter(({ step }) => step === "flaky");
  expect(attempts.map(({ finishedAt }) => hours(finishedAt))).toEqual([48, 49, 50, 51, 52]);
  expect(hours(result.history.at(-1)?.finishedAt as Date)).toBe(52 + 24);
});

test("the time begins when the test says", async () => {
  const workflow = createCronflow()
    .define({ id: "times" })
    .manual()
    .step("at", (ctx) => ctx.run.startedAt);
  expect((await workflow.test().trigger().run()).output).toBe("2026-01-01T00:00:00.000Z");
  const now = "2030-06-01T12:00:00Z";
  expect((await workflow.test({ now }).trigger().run()).output).toBe("2030-06-01T12:00:00.000Z");
  expect((await workflow.test({ now }).advance("1h").trigger().run()).output).toBe("2030-06-01T13:00:00.000Z");
});

const orders = createCronflow()
  .define({ id: "orders" })
  .onWebhook("/orders", { schema: z.object({ id: z.string(), amount: z.number() }) })
  .step("charge", async (ctx) => ({ receipt: `r-${ctx.payload.id}`, amount: ctx.payload.amount }))
  .retry({ attempts: 2, backoff: { delay: "1s" } })
  .action("mail", () => "is dropped")
  .step("ship", (ctx) => ctx.last.receipt);

test("the result has every step with what became of it", async () => {
  const result = await orders.test().trigger({ id: "a", amount: 5 }).run();
  expect(result.output).toBe("r-a");
  expect(result.payload).toEqual({ id: "a", amount: 5 });
  expect(result.trigger).toEqual({ type: "manual" });
  expect(result.steps.charge).toEqual({
    status: "completed",
    output: { receipt: "r-a", amount: 5 },
    error: undefined,
    isHandled: false,
    attempts: 1,
    iterations: {},
  });
  expect(result.steps["mail"]).toMatchObject({ status: "completed", output: undefined });
  expect(result.history.map(({ step }) => step)).toEqual(["charge", "mail", "ship"]);
  expect(result.waits).toEqual([]);
});

test("a mock stands for the handler, and everything else of the step is real", async () => {
  const mocked = await orders
    .test()
    .mockStep("charge", { receipt: "mocked", amount: 1 })
    .trigger({ id: "a", amount: 5 })
    .expectStep("ship")
    .toHaveOutput("mocked")
    .run();
  expect(mocked.steps.charge.output).toEqual({ receipt: "mocked", amount: 1 });

  await orders
    .test()
    .mockStep("charge", (ctx) => {
      if (ctx.attempt === 1) throw new Error("busy");
      return { receipt: `attempt ${ctx.attempt}`, amount: 0 };
    })
    .trigger({ id: "a", amount: 5 })
    .advance("1s")
    .expectStep("charge")
    .toHaveBeenCalledTimes(2)
    .expectRun()
    .toCompleteWith("attempt 2")
    .run();

  // From here on, not from the beginning.
  const replaced = orders
    .test()
    .mockStep("charge", () => {
      throw new Error("down");
    })
    .trigger({ id: "a", amount: 5 })
    .mockStep("charge", { receipt: "up", amount: 0 })
    .advance("1s");
  expect((await replaced.run()).output).toBe("up");
});

test("onError that gives an output leaves the step failed and handled", async () => {
  const workflow = createCronflow()
    .define({ id: "handled" })
    .manual()
    .step("risky", (): string => {
      throw new NonRetryableError("no");
    })
    .onError(() => "instead");
  const { steps, output } = await workflow
    .test()
    .trigger()
    .expectStep("risky")
    .toFailWith(NonRetryableError)
    .expectStep("risky")
    .toHaveOutput("instead")
    .run();
  expect(output).toBe("instead");
  expect(steps.risky).toMatchObject({ status: "failed", isHandled: true, output: "instead", error: { message: "no" } });
});

test("branches that were not taken are skipped, also while the run goes on", async () => {
  const workflow = createCronflow()
    .define({ id: "branches" })
    .manual()
    .if("large", (ctx) => ctx.payload === 2)
    .step("two", () => 2)
    .elseIf((ctx) => ctx.payload === 1)
    .step("one", () => 1)
    .sleep("1d")
    .else()
    .step("none", () => 0)
    .endIf()
    .step("end", () => "end");
  const { steps } = await workflow
    .test()
    .trigger(1)
    .expectStep("two")
    .toBeSkipped()
    .expectStep("none")
    .toBeSkipped()
    .expectStep("one")
    .toSucceed()
    .run();
  expect(steps.end.status).toBe("pending");
  expect(steps["large"]?.status).toBe("completed");
});

test("the .cancel() that ended the run has succeeded, and no other has", async () => {
  const workflow = createCronflow()
    .define({ id: "cancels" })
    .manual()
    .if("bad", (ctx) => ctx.payload === 1)
    .cancel("bad", { name: "stop" })
    .elseIf((ctx) => ctx.payload === 2)
    .step("risky", (): number => {
      throw new NonRetryableError("no");
    })
    .onError(() => 0)
    .else()
    .sleep("1d", { name: "nap" })
    .endIf()
    .cancel("in the end", { name: "last" });
  const ended = (payload: number) => workflow.test().trigger(payload).advance("1d");
  const first = await ended(1).expectStep("stop").toSucceed().expectStep("last").toBeSkipped().run();
  expect(first.steps["stop"]).toEqual({
    status: "completed",
    output: undefined,
    error: undefined,
    isHandled: false,
    attempts: 0,
    iterations: {},
  });
  for (const payload of [2, 3]) {
    await ended(payload).expectStep("stop").toBeSkipped().expectStep("last").toSucceed().run();
  }
  await expect(ended(1).expectStep("stop").toBeSkipped().run()).rejects.toThrow(
    "expected step `stop` to be skipped, but it succeeded.",
  );
  await workflow
    .test()
    .trigger(3)
    .expectStep("last")
    .toSucceed()
    .run()
    .then(
      () => expect.unreachable(),
      (error) => expect(error.message).toStartWith("expected step `last` to succeed, but it has not been reached"),
    );
});

// biome-ignore lint/suspicious/noExplicitAny: shapes that are told apart by running them
type Loose = any;

test.each([
  ["alone", (w: Loose) => w.cancel("at once", { name: "stop" }), ["stop"]],
  ["in an else", (w: Loose) => w.if("i", () => false).step("x", () => 1).else().cancel("no", { name: "stop" }).endIf(), ["stop"]], // biome-ignore format: one line each
  ["after an if without an else", (w: Loose) => w.if("i", () => false).step("x", () => 1).endIf().cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
  ["after what is inside of ifs", (w: Loose) => w.if("i", () => true).if("j", () => true).step("x", () => 1).endIf().endIf().cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
  ["on a branch", (w: Loose) => w.parallel([(f: Loose) => f.step("x", () => 1), (f: Loose) => f.cancel("no", { name: "stop" })]), ["stop"]], // biome-ignore format: one line each
  ["later on a branch", (w: Loose) => w.race([(f: Loose) => f.sleep("1h").step("x", () => 1), (f: Loose) => f.step("y", () => 1).cancel("no", { name: "stop" })]), ["stop"]], // biome-ignore format: one line each
  ["after a block", (w: Loose) => w.parallel([(f: Loose) => f.step("x", () => 1), () => 2]).cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
  ["first of two", (w: Loose) => w.parallel([(f: Loose) => f.cancel("one", { name: "stop" }), (f: Loose) => f.cancel("two", { name: "other" })]), ["stop"]], // biome-ignore format: one line each
  ["in an iteration", (w: Loose) => w.forEach("f", [1, 2, 3], (_: unknown, f: Loose) => f.if("i", (ctx: Loose) => ctx.item === 2).cancel("no", { name: "stop" }).endIf().step("x", () => 1)), ["stop", "stop@1"]], // biome-ignore format: one line each
  ["first in an iteration", (w: Loose) => w.forEach("f", [1, 2, 3], (_: unknown, f: Loose) => f.cancel("no", { name: "stop" })), ["stop", "stop@0"]], // biome-ignore format: one line each
  ["in a repetition", (w: Loose) => w.forEach("f", [7], (_: unknown, f: Loose) => f.while("w", () => true, (g: Loose) => g.step("x", (ctx: Loose) => ctx.state.incr("n")).if("i", (ctx: Loose) => ctx.last === 3).cancel("no", { name: "stop" }).endIf())), ["stop", "stop@0.2"]], // biome-ignore format: one line each
  ["first in a repetition", (w: Loose) => w.while("w", () => true, (g: Loose) => g.cancel("no", { name: "stop" })), ["stop", "stop@0"]], // biome-ignore format: one line each
  ["after no answer", (w: Loose) => w.humanInTheLoop({ name: "h", timeout: "1m", onTimeout: () => 1 }).cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
  ["after an event", (w: Loose) => w.waitForEvent("e", { timeout: "1m", filter: () => true }).cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
  ["rescued by an if", (w: Loose) => w.if("i", () => true).step("x", () => Promise.reject(new NonRetryableError("x"))).endIf().onError(() => 1).cancel("no", { name: "stop" }), ["stop"]], // biome-ignore format: one line each
])("a .cancel() has ended the run: %s", async (_where, build, expected) => {
  const workflow = build(createCronflow().define({ id: "w" }).manual() as Loose);
  const { status, steps } = await workflow.test().trigger().advance("1m").run();
  const succeeded = Object.entries(steps as Record<string, { status: string }>).filter(
    ([name, { status }]) => /^(stop|other)/.test(name) && status === "completed",
  );
  expect([status, succeeded.map(([name]) => name).toSorted()]).toEqual(["cancelled", expected]);
  expect(steps["f"]?.status).not.toBe("skipped");
});

test("a block in which the run has ended is not skipped", async () => {
  const workflow = createCronflow()
    .define({ id: "inside" })
    .manual()
    .parallel([(flow) => flow.race([(inner) => inner.cancel("no")], { name: "in" }), () => 1], { name: "out" })
    .step("after", () => 2);
  const { steps } = await workflow.test().trigger().expectStep("after").toBeSkipped().run();
  expect([steps["out"]?.status, steps["in"]?.status]).toEqual(["cancelled", "cancelled"]);
});

test("steps in loops are there once for each iteration", async () => {
  const workflow = createCronflow()
    .define({ id: "loops" })
    .manual()
    .forEach("each", [1, 2, 3], (item, flow) =>
      flow.step("double", () => {
        if (item === 3) throw new Error("three");
        return item * 2;
      }),
    );
  const { steps } = await workflow
    .test()
    .trigger()
    .expectStep("double@0")
    .toHaveOutput(2)
    .expectStep("double@2")
    .toFailWith("three")
    .expectStep("double")
    .toHaveBeenCalledTimes(3)
    .expectStep("double@1")
    .toHaveBeenCalledTimes(1)
    .expectStep("double")
    .toFail()
    .run();
  expect(steps["double"]?.iterations["1"]).toMatchObject({ status: "completed", output: 4 });
  expect(steps["double@1"]).toMatchObject({ status: "completed", output: 4 });
});

test("a mocked step in a loop is mocked in every iteration", async () => {
  const workflow = createCronflow()
    .define({ id: "mocked-loop" })
    .manual()
    .forEach("each", ["a", "b"], (item, flow) => flow.step("work", () => `${item}!`));
  const { output } = await workflow
    .test()
    .mockStep("work", (ctx) => `${ctx.item}${ctx.index}`)
    .trigger()
    .run();
  expect(output).toEqual(["a0", "b1"]);
});

test("an event is published when a run waits for it, wherever it is said", async () => {
  const workflow = createCronflow()
    .define({ id: "events" })
    .manual()
    .waitForEvent("first", { timeout: "1h" })
    .sleep("2h")
    .waitForEvent("second", { timeout: "1h" })
    .step("both", (ctx) => ctx.last);
  const events = () => workflow.test().mockEvent("second", { n: 2 }).trigger();
  expect((await events().mockEvent("first", { n: 1 }).advance("2h").run()).output).toEqual({ n: 2 });
  // In the middle of what passes at once.
  expect((await events().mockEvent("first").advance("5h").run()).output).toEqual({ n: 2 });
  expect((await workflow.test().trigger().advance("5h").run()).output).toEqual({ timedOut: true });
});

test("a person answers, or nobody does", async () => {
  const told: string[] = [];
  const workflow = createCronflow()
    .define({ id: "approvals" })
    .manual()
    .humanInTheLoop({ name: "ask", timeout: "3d", onPause: (_ctx, token) => told.push(token) })
    .step("end", (ctx) => ctx.last.status);
  expect((await workflow.test().trigger().approve().run()).output).toBe("approved");
  const rejected = await workflow.test().trigger().reject({ why: "too much" }).run();
  expect([rejected.output, rejected.steps["ask"]?.output]).toMatchObject(["rejected", { why: "too much" }]);
  expect((await workflow.test().trigger().advance("3d").run()).output).toBe("timeout");
  expect(new Set(told).size).toBe(3);
});

/** What a message says is to be written, written. */
function written(message: string): [payload: Record<string, unknown>, which: { step?: string; run?: string }] {
  const [, call] = /Say which: (?:\.approve|\.reject)\((.*)\)\.$/m.exec(message) ?? [];
  return new Function(`return [${call}]`)();
}

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.unreachable(),
    (error) => error,
  );

test("who is asked in iterations is told apart as the message says", async () => {
  const workflow = createCronflow()
    .define({ id: "nested" })
    .manual()
    .forEach("outer", [1], (_one, flow) =>
      flow.forEach("inner", [1, 2], (_two, inner) => inner.humanInTheLoop({ name: "ok" }), { concurrency: 2 }),
    );
  const { message } = await failure(workflow.test().trigger().approve().run());
  expect(message).toBe(
    '.approve(): several steps wait for a person: `ok@0.0`, `ok@0.1`. Say which: .approve({}, { step: "ok@0.0" }).',
  );
  const again = await failure(workflow.test().trigger().reject({}, { step: "ok" }).run());
  expect(again.message).toEndWith('Say which: .reject({}, { step: "ok@0.0" }).');
  const result = await workflow
    .test()
    .trigger()
    .approve(...written(message))
    .approve()
    .expectRun()
    .toComplete()
    .run();
  expect(result.steps["ok"]?.status).toBe("completed");
  const { waits } = await workflow.test().trigger().run();
  expect(waits).toEqual([
    '`ok@0.0` waits for a person: write `.approve({}, { step: "ok@0.0" })` or `.reject({}, { step: "ok@0.0" })`.',
    '`ok@0.1` waits for a person: write `.approve({}, { step: "ok@0.1" })` or `.reject({}, { step: "ok@0.1" })`.',
  ]);
});

test("who is asked in child runs is told apart by the run, also in each life of runWithCrashes", async () => {
  const engine = createCronflow();
  const child = engine.define({ id: "child" }).manual().humanInTheLoop({ name: "h" });
  const parent = engine
    .define({ id: "parent" })
    .manual()
    .step("first", () => 1)
    .forEach("each", [1, 2], (_item, flow) => flow.subflow("call", child), { concurrency: 2 });
  const { message } = await failure(parent.test().trigger().approve().run());
  expect(message).toBe(
    '.approve(): several steps wait for a person: `h` of run_36VPVAM000001, `h` of run_36VPVAM000002. Say which: .approve({}, { run: "run_36VPVAM000001" }).',
  );
  const { output } = await parent
    .test()
    .trigger()
    .approve(...written(message))
    .reject({}, { run: "run_36VPVAM000002", step: "h" })
    .runWithCrashes();
  expect(output).toMatchObject([{ approved: true }, { approved: false }]);
  const none = await failure(parent.test().trigger().approve({}, { run: "run_36VPVAM000000" }).run());
  expect(none.message).toStartWith(".approve(): no step waits for a person.\nThe run of `parent` waits.");
});

test("a death of the process between two steps loses nothing", async () => {
  const calls: string[] = [];
  const workflow = createCronflow()
    .define({ id: "dies" })
    .manual()
    .step("before", () => calls.push("before"))
    .sleep("1h")
    .humanInTheLoop({ name: "ask" })
    .step("after", () => calls.push("after"));
  await workflow
    .test()
    .crash()
    .trigger()
    .crash()
    .advance("1h")
    .crash()
    .approve()
    .crash()
    .expectRun()
    .toComplete()
    .run();
  expect(calls).toEqual(["before", "after"]);
});

test("a death in a handler calls it once more, with the same idempotency key", async () => {
  const calls: [number, string][] = [];
  const workflow = createCronflow()
    .define({ id: "dies-inside" })
    .manual()
    .step("before", () => 1)
    .step("charge", async (ctx) => {
      calls.push([ctx.attempt, ctx.idempotencyKey]);
      return ctx.attempt;
    });
  const { steps, output, history } = await workflow
    .test()
    .crash({ during: "charge" })
    .trigger()
    .expectStep("charge")
    .toHaveBeenCalledTimes(2)
    .expectStep("before")
    .toHaveBeenCalledTimes(1)
    .run();
  expect(output).toBe(2);
  expect(calls.map(([attempt]) => attempt)).toEqual([1, 2]);
  expect(calls[0]?.[1]).toBe(calls[1]?.[1] as string);
  expect(history.map(({ status }) => status)).toEqual(["completed", "interrupted", "completed"]);
  expect(steps.charge.attempts).toBe(2);
});

test("a handler that calls its engine does so in the life after a death, too", async () => {
  const engine = createCronflow();
  const child = engine
    .define({ id: "child" })
    .manual()
    .step("work", () => "worked");
  const parent = engine
    .define({ id: "parent" })
    .manual()
    .step("call", (ctx) => engine.execute(child, undefined, { idempotencyKey: ctx.idempotencyKey }));
  const { output, history } = await parent
    .test({ with: [child] })
    .crash({ during: "call" })
    .trigger()
    .expectStep("call")
    .toHaveBeenCalledTimes(2)
    .run();
  expect(output).toBe("worked");
  expect(history.map(({ status }) => status)).toEqual(["interrupted", "completed"]);
  await parent
    .test({ with: [child] })
    .trigger()
    .runWithCrashes();
});

test("runWithCrashes finds the step that is not safe", async () => {
  const balance = new Map<string, number>();
  const account = (pay: (key: string) => void) =>
    createCronflow()
      .define({ id: "account" })
      .manual()
      .step("open", (ctx) => {
        balance.set(ctx.run.id, 0);
        return ctx.run.id;
      })
      .step("pay", (ctx) => pay(ctx.idempotencyKey))
      .step("read", (ctx) => balance.get(ctx.run.id));
  const runOf = (key: string): string => key.split(":")[0] as string;
  const unsafe = account((key) => void balance.set(runOf(key), (balance.get(runOf(key)) ?? 0) + 10));
  await expect(unsafe.test().trigger().runWithCrashes()).rejects.toThrow(
    'The process died in call 2 of 3, of `pay`: the run came to another end.\nwithout: {"status":"completed","output":10}\nwith:    {"status":"completed","output":20}',
  );
  const paid = new Set<string>();
  const safe = account((key) => {
    if (paid.has(key)) return;
    paid.add(key);
    balance.set(runOf(key), (balance.get(runOf(key)) ?? 0) + 10);
  });
  const { output } = await safe
    .test()
    .trigger()
    .expectStep("pay")
    .toSucceed()
    .expectStep("pay")
    .toHaveBeenCalledTimes(1)
    .runWithCrashes();
  expect(output).toBe(10);
});

test("run ids and idempotency keys that are recorded are the same in each life of runWithCrashes", async () => {
  const engine = createCronflow();
  const child = engine
    .define({ id: "child" })
    .manual()
    .step("key", (ctx) => ctx.idempotencyKey);
  const keys = new Set<string>();
  const workflow = engine
    .define({ id: "keys" })
    .manual()
    .step("charge", (ctx) => {
      keys.add(ctx.idempotencyKey);
      return { [ctx.idempotencyKey]: [ctx.run.id] };
    })
    .subflow("call", child, (ctx) => ctx.last)
    .step("fail", (ctx) => {
      if (ctx.payload === "fails") throw new Error(`no ${ctx.run.id}`);
      return [ctx.steps.charge.output, ctx.last];
    });
  const { runId, output } = await workflow
    .test()
    .trigger()
    .expectStep("charge")
    .toHaveOutput({ "run_36VPVAM000000:charge": ["run_36VPVAM000000"] })
    .expectRun()
    .toCompleteWith([{ "run_36VPVAM000000:charge": ["run_36VPVAM000000"] }, "run_36VPVAM000001:key"])
    .runWithCrashes();
  expect(runId).toBe("run_36VPVAM000000");
  expect(output).toBeArrayOfSize(2);
  // Nothing makes the world outside as it was: there, no life is taken for another.
  expect(keys.size).toBe(4);
  expect((await workflow.test().trigger("fails").runWithCrashes()).error?.message).toBe("no run_36VPVAM000000");
});

test("an id of another run, which a payload names, is left as it is", async () => {
  const workflow = createCronflow()
    .define({ id: "names" })
    .manual()
    .step("named", (ctx) => ctx.payload);
  // As the first life with a death has them, and as none has.
  const ids = ["run_36VPVAM000801", "run_36VPVAMZZZZZZ", "run_36vpvam000800"];
  await workflow.test().trigger(ids).expectRun().toCompleteWith(ids).runWithCrashes();
});

test("where the world outside is made as it was, run ids are the same in it, too", async () => {
  const keys: string[] = [];
  const workflow = createCronflow()
    .define({ id: "hashed" })
    .manual()
    .step("charge", (ctx) => {
      keys.push(ctx.idempotencyKey);
      return { id: `ch_${Bun.hash(ctx.idempotencyKey)}` };
    });
  await workflow
    .test()
    .trigger()
    .runWithCrashes({ beforeEach: () => keys.splice(0) });
  expect(keys).toEqual(["run_36VPVAM000000:charge", "run_36VPVAM000000:charge"]);
});

test("runWithCrashes makes the world outside as it was before each life", async () => {
  let paid = 0;
  const workflow = createCronflow()
    .define({ id: "fresh" })
    .manual()
    .step("pay", (ctx) => {
      if (ctx.attempt === 1) paid += 1;
    })
    .step("read", () => paid);
  const { output } = await workflow
    .test()
    .trigger()
    .runWithCrashes({
      beforeEach: () => {
        paid = 0;
      },
      afterEach: () => expect(paid).toBe(1),
    });
  expect(output).toBe(1);
  const never = workflow.test().trigger();
  await expect(never.runWithCrashes({ afterEach: () => Promise.reject(new Error("no")) })).rejects.toThrow("no");
  await expect(workflow.test().trigger().runWithCrashes()).rejects.toThrow("came to another end");
});

test("runWithCrashes says in which call an expectation was not met", async () => {
  let calls = 0;
  const workflow = createCronflow()
    .define({ id: "counts" })
    .manual()
    .step("count", () => ++calls % 3 === 0);
  await expect(workflow.test().trigger().expectRun().toCompleteWith(false).runWithCrashes()).rejects.toThrow(
    "The process died in call 1 of 1, of `count`: expected the run to complete with false",
  );
});

const store = defineService({
  id: "store",
  setup: () => {
    throw new Error("there is no store here");
  },
});
const mailer = defineService({
  id: "mailer",
  setup: () => ({ actions: { send: async (to: string) => ({ id: `real mail to ${to}` }), count: () => 5 } }),
});
const using = createCronflow()
  .define({ id: "services", services: [mailer.withConfig()] })
  .manual()
  .step("send", (ctx) => ctx.services.mailer.send("ada"))
  .step("count", (ctx) => ctx.services.mailer.count());

test("services are real unless they are mocked", async () => {
  const real = await using.test().trigger().run();
  expect([real.steps.send.output, real.output]).toEqual([{ id: "real mail to ada" }, 5]);
  const mocked = await using
    .test()
    .mockService(mailer.withConfig(), { send: async (to) => ({ id: `mock for ${to}` }), count: () => 7 })
    .trigger()
    .run();
  expect([mocked.steps.send.output, mocked.output]).toEqual([{ id: "mock for ada" }, 7]);
});

test("a mock takes the service as it was defined, too, with the types of its actions", async () => {
  const mocked = await using
    .test()
    .mockService(mailer, { send: (to) => ({ id: `mock for ${to.toUpperCase()}` }), count: () => 7 })
    .trigger()
    .run();
  expect([mocked.steps.send.output, mocked.output]).toEqual([{ id: "mock for ADA" }, 7]);
  // @ts-expect-error an action of another type
  using.test().mockService(mailer, { count: () => "seven" });

  const renamed = createCronflow()
    .define({ id: "renamed", services: [mailer.withConfig({ as: "post" })] })
    .manual()
    .step("count", (ctx) => ctx.services.post.count());
  expect(
    (
      await renamed
        .test()
        .mockService(mailer, { count: () => 9 })
        .trigger()
        .run()
    ).output,
  ).toBe(9);
  const both = createCronflow()
    .define({ id: "both", services: [mailer.withConfig(), mailer.withConfig({ as: "post" })] })
    .step("count", (ctx) => ctx.services.post.count());
  expect(() => both.test().mockService(mailer, {})).toThrow(
    '.mockService(): the test has service `mailer` under several names. Say which is meant: "mailer", "post".',
  );
  expect(() => using.test().mockService(store, {})).toThrow(
    '.mockService("store"): no workflow of the test has a service of this name. There are `mailer`.',
  );
});

test.each([undefined, null, 5, {}, () => 1])("what is no service is refused as one: %p", (given) => {
  expect(() => using.test().mockService(given as never, {})).toThrow(
    /^\.mockService\(\): .* is no service: give what defineService\(\) or \.withConfig\(\) gives, or a name in ctx\.services\.$/,
  );
});

test("a later mock takes the place of an earlier one, which then need not be used", async () => {
  const standard = () =>
    using
      .test()
      .mockStep("send", { id: "default" })
      .mockService(mailer, { count: () => 1 })
      .mockService(mailer, { count: () => 2 });
  const { steps, output } = await standard().mockStep("send", { id: "other" }).trigger().run();
  expect([steps.send.output, output]).toEqual([{ id: "other" }, 2]);
  const unused = standard().mockStep("count", 3).mockStep("count", 4).trigger();
  await expect(unused.run()).rejects.toThrow("never used: the mock of service `mailer`. Remove");
  const never = standard().mockStep("send", () => Promise.reject(new Error("down")));
  await expect(never.mockStep("count", 3).mockStep("count", 4).trigger().run()).rejects.toThrow(
    "never used: the mock of service `mailer`, the mock of step `count`. Remove",
  );
});

test("what starts no run is told where schedules are tested", async () => {
  const report = createCronflow()
    .define({ id: "report" })
    .onSchedule("0 2 * * *")
    .step("x", () => 1);
  await expect(report.test().advance("3h").run()).rejects.toThrow(
    "The test starts no run: call .trigger() before .run(). Runs that are started by a schedule, an interval or a poll are tested in testApp().",
  );
});

test("a mocked service is not set up, and what is not mocked of it fails", async () => {
  const workflow = createCronflow()
    .define({ id: "store", services: [store.withConfig(), mailer.withConfig()] })
    .manual()
    .step("send", (ctx) => ctx.services.mailer.send("ada"));
  await workflow
    .test()
    .mockService("store", {})
    .mockService("mailer", { sned: () => 1 })
    .trigger()
    .expectStep("send")
    .toFailWith("mailer.send: the mock of service `mailer` has no action `send`. Did you mean `sned`?")
    .run()
    .then(
      () => expect.unreachable(),
      // Nothing called the store.
      (error) => expect(error.message).toStartWith("never used: the mock of service `store`"),
    );
});

test("a test gives the secrets, and they are kept as real ones are", async () => {
  const workflow = createCronflow()
    .define({ id: "secrets", secrets: { key: secret("env:CRONFLOW_TEST_KEY_THAT_IS_NOT_SET") } })
    .manual()
    .step("length", (ctx) => ctx.secrets.key.length)
    .step("leak", (ctx) => (ctx.payload === "leak" ? ctx.secrets.key : "none"));
  const secrets = { key: "a-key-of-the-test" };
  expect((await workflow.test({ secrets }).trigger().run()).steps.length.output).toBe(17);
  await workflow.test({ secrets }).trigger("leak").expectStep("leak").toFailWith("secret(env:key)").run();
  await workflow
    .test({ secrets: { key: "short" } })
    .trigger()
    .expectStep("length")
    .toFailWith("fewer than 8 characters")
    .run();
});

test("a secret that a test does not give is missing where a handler asks for it, and nowhere else", async () => {
  const source = "env:CRONFLOW_TEST_KEY_THAT_IS_NOT_SET";
  const workflow = createCronflow()
    .define({ id: "secrets", secrets: { key: secret(source) } })
    .manual()
    .step("sign", (ctx) => ctx.secrets.key.length)
    .retry({ attempts: 3 });
  expect((await workflow.test().mockStep("sign", 7).trigger().run()).output).toBe(7);
  await workflow
    .test()
    .trigger()
    .expectStep("sign")
    .toFailWith(
      `secret(${source}) is missing: the environment variable is not set. Give the test one: { secrets: { "${source}": "…" } }.`,
    )
    .expectStep("sign")
    .toHaveBeenCalledTimes(1)
    .run();
  const secrets = { [source]: "a-key-of-the-test" };
  expect((await workflow.test({ secrets }).trigger().run()).output).toBe(17);
});

test("a service's secrets are given by where they are found; of one that is mocked they are not read", async () => {
  const source = "env:CRONFLOW_TEST_TOKEN_THAT_IS_NOT_SET";
  const bank = defineService({
    id: "bank",
    schema: { auth: z.object({ token: z.string() }) },
    setup: ({ auth }) => ({ actions: { pay: async (n: number) => n + auth.token.length } }),
  });
  const workflow = createCronflow()
    .define({ id: "pay", services: [bank.withConfig({ auth: { token: secret(source) } })] })
    .manual()
    .step("pay", (ctx) => ctx.services.bank.pay(1));
  const mocked = workflow.test().mockService(bank, { pay: () => 7 });
  expect((await mocked.trigger().run()).output).toBe(7);
  const secrets = { [source]: "12345678" };
  expect((await workflow.test({ secrets }).trigger().run()).output).toBe(9);
  await expect(workflow.test().trigger().run()).rejects.toThrow(
    `service \`bank\` is not valid: auth: secret(${source}) is missing: the environment variable is not set. Give the test one: { secrets: { "${source}": "…" } }.`,
  );
});

test("child runs are real, or mocked as a step is", async () => {
  const engine = createCronflow();
  const child = engine
    .define({ id: "child" })
    .manual()
    .sleep("1h")
    .step("work", (ctx) => `worked on ${ctx.payload}`);
  const parent = engine.define({ id: "parent" }).manual().subflow("call", child, "it");
  for (const options of [{}, { with: [child] }]) {
    expect((await parent.test(options).trigger().advance("1h").run()).output).toBe("worked on it");
  }
  const mocked = await parent.test().mockStep("call", "mocked").trigger().run();
  expect(mocked.output).toBe("mocked");
});

test("children of children come along, but not those of a child that is mocked", async () => {
  const bank = defineService({
    id: "bank",
    schema: { auth: z.object({ token: z.string() }) },
    setup: () => ({ actions: { pay: () => "paid" } }),
  }).withConfig({ auth: { token: secret("env:CRONFLOW_TEST_TOKEN_THAT_IS_NOT_SET") } });
  const pay = createCronflow()
    .define({ id: "pay", services: [bank] })
    .manual()
    .waitForEvent("paid")
    .step("pay", (ctx) => ctx.services.bank.pay());
  const order = createCronflow().define({ id: "order" }).manual().subflow("payment", pay);
  const orders = createCronflow()
    .define({ id: "orders" })
    .manual()
    .forEach("each", [1, 2], (_item, flow) => flow.subflow("order", order));
  const mocked = orders.test().mockService(bank, { pay: () => "mocked" });
  const real = mocked.mockEvent("paid").mockEvent("paid").trigger();
  expect((await real.run()).output).toEqual(["mocked", "mocked"]);
  // The bank is not set up, whose token nobody has.
  expect((await orders.test().mockStep("order", "done").trigger().run()).output).toEqual(["done", "done"]);

  const other = createCronflow()
    .define({ id: "order" })
    .manual()
    .step("instead", () => "other");
  expect(
    (
      await orders
        .test({ with: [other] })
        .trigger()
        .run()
    ).output,
  ).toEqual(["other", "other"]);
});

test("a child that is named by its id alone must be given, and its absence says so", async () => {
  const child = createCronflow()
    .define({ id: "child" })
    .manual()
    .step("work", () => "worked");
  const parent = createCronflow()
    .define({ id: "parent", retry: { attempts: 5 } })
    .manual()
    .subflow("call", "child");
  const message =
    'no workflow `child` is in this test: .subflow() was given its id alone. Write .test({ with: [<the workflow>] }), or .mockStep("call", …).';
  const { error, status } = await parent.test().trigger().expectStep("call").toFailWith(message).run();
  expect([status, error?.code]).toEqual(["failed", "workflow_not_found"]);
  expect(
    (
      await parent
        .test({ with: [child] })
        .trigger()
        .run()
    ).output,
  ).toBe("worked");
  const saved = createCronflow()
    .define({ id: "saved" })
    .manual()
    .subflow("call", "child")
    .onError((ctx) => ctx.error.message);
  expect((await saved.test().trigger().run()).output).toBe(message);
});

test("handlers that wait for something real are waited for", async () => {
  const workflow = createCronflow()
    .define({ id: "real" })
    .manual()
    .step("timer", () => Bun.sleep(20))
    .step("process", async () => (await Bun.$`echo out`.quiet()).text());
  expect((await workflow.test().trigger().run()).output).toBe("out\n");
});

test("a handler that does not end keeps the test for as long as its patience", async () => {
  const workflow = createCronflow()
    .define({ id: "hangs" })
    .manual()
    .step("hangs", () => new Promise<string>(() => {}))
    .timeout("1h");
  const { status, waits } = await workflow.test({ patience: 20 }).trigger().run();
  expect([status, waits[0]]).toEqual(["running", expect.stringContaining("the handler of `hangs` still executes")]);
  await workflow.test({ patience: 20 }).trigger().advance("1h").expectStep("hangs").toFailWith("timeout").run();
});

test("one test can be run again, and tests do not see each other", async () => {
  const workflow = createCronflow()
    .define({ id: "state" })
    .manual()
    .step("count", (ctx) => ctx.state.incr("runs"));
  const again = workflow.test().trigger();
  expect([(await again.run()).output, (await again.run()).output]).toEqual([1, 1]);
  const many = await Promise.all(Array.from({ length: 50 }, () => workflow.test().trigger().run()));
  expect(new Set(many.map(({ output }) => output))).toEqual(new Set([1]));
});

test("only what goes wrong is written to the console", async () => {
  const [info, error] = [spyOn(console, "info"), spyOn(console, "error").mockImplementation(() => {})];
  const workflow = createCronflow()
    .define({ id: "logs", hooks: { onSuccess: () => Promise.reject(new Error("hook")) } })
    .manual()
    .log("hello");
  await workflow.test().trigger().run();
  expect(info).not.toHaveBeenCalled();
  // After the step, and after the run.
  expect(error).toHaveBeenCalledTimes(2);
  info.mockRestore();
  error.mockRestore();
});

test("a race is won by the first, and mocks that never end lose it", async () => {
  const workflow = createCronflow()
    .define({ id: "races" })
    .manual()
    .race([(flow) => flow.step("fast", () => "fast"), (flow) => flow.step("slow", () => "slow")]);
  const { output, steps } = await workflow.test().mockStep("fast", never).trigger().run();
  expect(output).toBe("slow");
  expect(steps["fast"]?.status).toBe("cancelled");
});
