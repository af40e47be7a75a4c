/** Retries, caches and circuit breakers, as users see them. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, RunError } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** Why a run did not complete. */
async function failure(result: Promise<unknown>): Promise<RunError> {
  const error = await result.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(RunError);
  return error;
}

test("retryOn decides which errors are worth another attempt, and onRetry hears of each", async () => {
  const engine = testEngine();
  const retries: [number, string, number][] = [];
  class Busy extends Error {}
  engine
    .define({ id: "picky" })
    .step("x", (ctx) => {
      throw ctx.attempt < 3 ? new Busy(`busy ${ctx.attempt}`) : new TypeError("hopeless");
    })
    .retry({
      attempts: 10,
      backoff: { strategy: "linear", delay: 5 },
      retryOn: (error) => error instanceof Busy,
      onRetry: (attempt, error, delayMs) => retries.push([attempt, (error as Error).message, delayMs]),
    });
  await engine.start();
  expect((await failure(engine.execute("picky"))).error.message).toBe("hopeless");
  expect(retries.map(([attempt, message]) => [attempt, message])).toEqual([
    [1, "busy 1"],
    [2, "busy 2"],
  ]);
  for (const [attempt, , delayMs] of retries) expect(delayMs).toBeLessThanOrEqual(5 * attempt);
});

test.each([
  ["fixed", [4, 4, 4]],
  ["linear", [4, 8, 12]],
  ["exponential", [4, 8, 10]],
] as const)("%s backoff: retries are due when they are said to be", async (strategy, delays) => {
  const engine = testEngine();
  engine
    .define({ id: "fails" })
    .step("x", () => Promise.reject(new Error("no")))
    .retry({ attempts: 4, backoff: { strategy, delay: 4, maxDelay: strategy === "exponential" ? 10 : "1h" } });
  await engine.start();
  const { runId } = await failure(engine.execute("fails"));
  const { attempts } = await engine.inspect(runId);
  const found = attempts
    .slice(0, 3)
    .map(({ retryAt, finishedAt }) => (retryAt as Date).getTime() - finishedAt.getTime());
  expect(found).toEqual([...delays]);
  for (const [index, { startedAt }] of attempts.slice(1).entries()) {
    expect((startedAt as Date).getTime()).toBeGreaterThanOrEqual(attempts[index]?.retryAt?.getTime() as number);
  }
});

test("a cached output is used again by other runs and after a restart, until its ttl is over", async () => {
  const database = join(temporaryDirectory(), "cache.db");
  const calls: unknown[] = [];
  const define = (engine: Cronflow) =>
    engine
      .define({ id: "cached" })
      .step("rate", (ctx) => {
        calls.push(ctx.payload);
        return { of: ctx.payload as string, call: calls.length };
      })
      .cache({ key: (ctx) => ctx.payload as string, ttl: "1h" })
      .step("end", (ctx) => [ctx.last.call, ctx.steps.rate.output.of]);
  const before = testEngine({ database });
  define(before);
  await before.start();
  expect(await before.execute("cached", "EUR")).toEqual([1, "EUR"]);
  expect(await before.execute("cached", "EUR")).toEqual([1, "EUR"]);
  expect(await before.execute("cached", "USD")).toEqual([2, "USD"]);
  await before.stop();
  const after = testEngine({ database });
  define(after);
  await after.start();
  expect(await after.execute("cached", "EUR")).toEqual([1, "EUR"]);
  expect(calls).toEqual(["EUR", "USD"]);
});

test.each<[string, unknown, string]>([
  ["nothing", undefined, "undefined"],
  ["null", null, "null"],
  ["a number", 7, "7"],
  ["a large number", 7n, "7n"],
  ["an object", { customer: "Ada" }, 'customer: "Ada"'],
  ["an empty text", "", '""'],
])(
  "a cache key that is %s fails the attempt for good: two runs never share an output by it",
  async (_what, key, shown) => {
    const engine = testEngine();
    let calls = 0;
    engine
      .define({ id: "profile" })
      .step("load", () => {
        calls += 1;
      })
      .cache({ key: () => key as string, ttl: "1h" })
      .retry({ attempts: 3, backoff: { delay: 0 } });
    await engine.start();
    const { runId, error } = await failure(engine.execute("profile"));
    expect(error).toMatchObject({ name: "InvalidError", code: "value_invalid" });
    expect(error.message).toStartWith("The `key` of the cache of step `load` gave ");
    expect(error.message).toContain(shown);
    expect([calls, (await engine.inspect(runId)).attempts.length]).toEqual([0, 1]);
  },
);

test("a cache key with half a character in it is a key like any other", async () => {
  const engine = testEngine();
  let calls = 0;
  engine
    .define({ id: "half" })
    .step("x", () => {
      calls += 1;
      return calls;
    })
    .cache({ key: () => "\ud800", ttl: "1h" });
  await engine.start();
  expect([await engine.execute("half"), await engine.execute("half")]).toEqual([1, 1]);
});

test("a cached output is forgotten after its ttl, and failures are not kept", async () => {
  const engine = testEngine();
  let calls = 0;
  engine
    .define({ id: "cached" })
    .step("x", () => {
      calls += 1;
      if (calls === 1) throw new Error("no");
      return calls;
    })
    .cache({ key: () => "k", ttl: 300 })
    .onError(() => "saved");
  engine.define({ id: "wait" }).sleep(300);
  await engine.start();
  expect(await engine.execute("cached")).toBe("saved");
  expect(await engine.execute("cached")).toBe(2);
  expect(await engine.execute("cached")).toBe(2);
  await engine.execute("wait");
  expect(await engine.execute("cached")).toBe(3);
});

test("two steps of a workflow with the same cache key do not share their outputs", async () => {
  const engine = testEngine();
  const cache = { key: () => "customer-1", ttl: "1h" } as const;
  const workflow = engine
    .define({ id: "two" })
    .step("name", () => "Ada")
    .cache(cache)
    .step("age", () => 36)
    .cache(cache)
    .step("end", (ctx) => [ctx.steps.name.output, ctx.steps.age.output]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual(["Ada", 36]);
});

test("a cache key that is too long, or throws, fails the step", async () => {
  const engine = testEngine();
  engine
    .define({ id: "long" })
    .step("x", () => 1)
    .cache({ key: () => "k".repeat(513), ttl: 1 });
  engine
    .define({ id: "throws" })
    .step("x", () => 1)
    .cache({
      key: () => {
        throw new Error("no key");
      },
      ttl: 1,
    });
  await engine.start();
  expect((await failure(engine.execute("long"))).error.message).toContain("cache key has from 1 to 512 bytes");
  expect((await failure(engine.execute("throws"))).error.message).toBe("no key");
});

test("a circuit opens after failures in a row, lets nothing through, and closes after a probe that works", async () => {
  const engine = testEngine();
  let [calls, isMended] = [0, false];
  engine
    .define({ id: "calls" })
    .step("x", () => {
      calls += 1;
      if (!isMended) throw new Error("no answer");
      return "works";
    })
    .circuitBreaker({ failureThreshold: 2, recoveryTimeout: 300 });
  engine.define({ id: "wait" }).sleep(300);
  await engine.start();
  for (let call = 0; call < 2; call += 1)
    expect((await failure(engine.execute("calls"))).error.message).toBe("no answer");
  expect((await failure(engine.execute("calls"))).error).toMatchObject({ code: "circuit_open" });
  expect(calls).toBe(2);
  await engine.execute("wait");
  expect((await failure(engine.execute("calls"))).error.message).toBe("no answer");
  expect((await failure(engine.execute("calls"))).error).toMatchObject({ code: "circuit_open" });
  expect(calls).toBe(3);
  isMended = true;
  await engine.execute("wait");
  expect(await engine.execute("calls")).toBe("works");
  expect(await engine.execute("calls")).toBe("works");
});

test("steps of one circuit share it, across workflows; expected errors say nothing of its health", async () => {
  const engine = testEngine();
  const circuit = {
    name: "bank",
    failureThreshold: 2,
    recoveryTimeout: "1h",
    expectedErrors: ["CardDeclined"],
  } as const;
  const declined = Object.assign(new Error("declined"), { name: "CardDeclined" });
  const throwing = (id: string, error: Error) =>
    engine
      .define({ id })
      .step("x", () => Promise.reject(error))
      .circuitBreaker(circuit);
  throwing("declined", declined);
  throwing("broken", new Error("no answer"));
  throwing("other", new Error("no answer"));
  await engine.start();
  for (let call = 0; call < 5; call += 1) await failure(engine.execute("declined"));
  for (const id of ["broken", "other"]) expect((await failure(engine.execute(id))).error.message).toBe("no answer");
  expect((await failure(engine.execute("declined"))).error).toMatchObject({ code: "circuit_open" });
});

test("while a circuit is open attempts are spent, and the step succeeds if it closes in time", async () => {
  const engine = testEngine();
  let calls = 0;
  engine
    .define({ id: "patient" })
    .step("x", () => {
      calls += 1;
      if (calls === 1) throw new Error("no answer");
      return `works after ${calls} calls`;
    })
    .retry({ attempts: 100, backoff: { strategy: "fixed", delay: 5 } })
    .circuitBreaker({ failureThreshold: 1, recoveryTimeout: 20 });
  await engine.start();
  expect(await engine.execute("patient")).toBe("works after 2 calls");
  const { runs } = await engine.list();
  const { attempts } = await engine.inspect(runs[0]?.runId as string);
  expect(attempts.some(({ error }) => error?.code === "circuit_open")).toBe(true);
});
