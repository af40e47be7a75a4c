/** Services from the start of the engine to its stop, and what handlers see of them. */
import { expect, test } from "bun:test";
import {
  type AnyService,
  createCronflow,
  defineService,
  type Logger,
  NonRetryableError,
  RunError,
  ServiceError,
} from "cronflow-ffi";
import { z } from "zod";
import { testEngine } from "../testing/engines.ts";

/** A log that is kept, as lines and their details. */
function keptLog(): { log: Logger; lines: [level: string, message: string, ...details: unknown[]][] } {
  const lines: [string, string, ...unknown[]][] = [];
  const line =
    (level: string) =>
    (message: string, ...details: unknown[]): void =>
      void lines.push([level, message, ...details]);
  return { log: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") }, lines };
}

/** A service that says what happens to it. */
function told<const Id extends string>(id: Id, events: string[], parts: { failsAt?: "setup" | "start" | "stop" } = {}) {
  const say = (what: "setup" | "start" | "stop"): void => {
    events.push(`${id} ${what}`);
    if (parts.failsAt === what) throw new Error(`${id} cannot ${what}`);
  };
  return defineService({
    id,
    setup: async () => {
      say("setup");
      return { actions: { name: () => id }, start: () => say("start"), stop: async () => say("stop") };
    },
  }).withConfig();
}

const counter = defineService({
  id: "counter",
  schema: { config: z.object({ from: z.number() }) },
  setup: ({ config: { from } }) => {
    let count = from;
    return {
      actions: {
        add: (by: number) => {
          count += by;
          return count;
        },
        later: async (by: number) => count + by,
      },
    };
  },
});

test("every kind of handler calls actions, at once or later", async () => {
  const engine = testEngine();
  const seen: unknown[] = [];
  engine
    .define({
      id: "w",
      services: [counter.withConfig({ config: { from: 10 } })],
      hooks: { onSuccess: (ctx, stepId) => void (stepId ?? seen.push(["hook", ctx.services.counter.add(1)])) },
    })
    .step("first", (ctx) => ctx.services.counter.add(1))
    .step("later", async (ctx) => ctx.services.counter.later(ctx.last))
    .if((ctx) => ctx.services.counter.add(0) === 11)
    .step("double", (ctx) => ctx.services.counter.add(ctx.last - 11))
    .endIf()
    .forEach(
      "items",
      (ctx) => [ctx.services.counter.add(0), 1],
      (_item, flow) => flow.step("in", (ctx) => [ctx.item, ctx.services.counter.add(1)]),
    )
    .step("fails", () => {
      throw new Error("no");
    })
    .onError((ctx) => ctx.services.counter.add(0))
    .step("all", (ctx) => [ctx.steps.first.output, ctx.steps.later.output, ctx.steps.items.output, ctx.last]);
  await engine.start();
  const runId = await engine.trigger("w");
  expect(await engine.result(runId)).toEqual([
    11,
    22,
    [
      [22, 23],
      [1, 24],
    ],
    24,
  ]);
  await engine.stop();
  expect(seen).toEqual([["hook", 25]]);
});

test("one configuration is one instance, whoever uses it; another configuration is another", async () => {
  const [shared, own] = [
    counter.withConfig({ config: { from: 0 } }),
    counter.withConfig({ config: { from: 100 }, as: "own" }),
  ];
  const engine = testEngine({ services: [shared] });
  const add = (id: string, services: readonly AnyService[]) =>
    engine.define({ id, services }).step("add", (ctx) => {
      // The services of the engine are not in the types of this test.
      const { counter, own } = ctx.services as unknown as Record<string, { add(by: number): number } | undefined>;
      return [counter?.add(1), own?.add(1)];
    });
  const [a, b, c] = [add("a", [own]), add("b", []), add("c", [shared])];
  await engine.start();
  const outputs: unknown[] = [await engine.execute(a), await engine.execute(b), await engine.execute(c)];
  expect(outputs).toEqual([
    [1, 101],
    [2, null],
    [3, null],
  ]);
});

test("services begin in order before the first run moves, and stop in reverse after the last handler", async () => {
  const events: string[] = [];
  const engine = testEngine({ services: [told("one", events)] });
  const workflow = engine
    .define({ id: "w", services: [told("two", events), told("three", events)] })
    .step("x", async (ctx) => {
      await Bun.sleep(5);
      events.push(`handler sees ${ctx.services.two.name()}`);
    });
  await engine.start();
  await engine.trigger(workflow);
  await engine.stop();
  expect(events).toEqual([
    ...["one setup", "one start", "two setup", "two start", "three setup", "three start"],
    "handler sees two",
    ...["three stop", "two stop", "one stop"],
  ]);
});

test.each(["setup", "start"] as const)(
  "a service that fails in %s fails the start by name; others stop",
  async (failsAt) => {
    const events: string[] = [];
    const engine = testEngine();
    const services = [told("good", events), told("bad", events, { failsAt }), told("never", events)];
    engine.define({ id: "w", services }).step("x", () => 1);
    const error = await engine.start().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({
      service: "bad",
      action: failsAt,
      message: `bad.${failsAt}: bad cannot ${failsAt}`,
    });
    expect(events.filter((event) => event.endsWith("stop"))).toEqual(
      failsAt === "start" ? ["bad stop", "good stop"] : ["good stop"],
    );
    expect(events.some((event) => event.startsWith("never"))).toBe(false);
    // Nothing is left open: the same file can be opened again.
    await expect(engine.start()).rejects.toThrow("bad cannot");
  },
);

test.each<[string, unknown, string]>([
  ["nothing", undefined, "it gives no object of `actions`"],
  ["an action that is none", { actions: { x: 5 } }, "`actions.x` is no function"],
  ["a stop that is none", { actions: {}, stop: "now" }, "`stop` is no function"],
])("a setup that gives %s fails the start", async (_what, parts, message) => {
  const odd = defineService({
    id: "odd",
    setup: () => parts as { actions: object } as { actions: Record<never, never> },
  });
  const engine = testEngine({ services: [odd.withConfig()] });
  await expect(engine.start()).rejects.toThrow(`odd.setup: ${message}`);
});

test("a service that fails to stop, or hangs, is logged, and holds up nobody", async () => {
  const { log, lines } = keptLog();
  const events: string[] = [];
  const hanging = defineService({
    id: "hanging",
    setup: () => ({ actions: {}, stop: () => new Promise(() => {}) }),
  });
  const engine = testEngine({ log, services: [told("last", events), hanging.withConfig()] });
  engine.define({ id: "w", services: [told("fails", events, { failsAt: "stop" })] }).step("x", () => 1);
  await engine.start();
  await engine.stop({ timeout: 20 });
  expect(events.filter((event) => event.endsWith("stop"))).toEqual(["fails stop", "last stop"]);
  const errors = lines.filter(([level]) => level === "error").map(([, message]) => message);
  expect(errors).toContain("service `fails` failed to stop");
  expect(errors).toContain("service `hanging` did not stop in time, and is left");
});

test("the signal is aborted when the service is stopped, and each start of the engine sets up anew", async () => {
  const signals: AbortSignal[] = [];
  const service = defineService({
    id: "s",
    setup: ({ signal }) => {
      signals.push(signal);
      return { actions: {} };
    },
  });
  const engine = createCronflow({ database: ":memory:", services: [service.withConfig()] });
  for (const start of [1, 2]) {
    await engine.start();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false].slice(2 - start));
    await engine.stop();
  }
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
});

test("services use the engine once it has started, not before", async () => {
  const early = defineService({
    id: "early",
    setup: async ({ engine }) => {
      await engine.trigger("w");
      return { actions: {} };
    },
  });
  const engine = testEngine();
  engine.define({ id: "w", services: [early.withConfig()] }).step("x", () => 1);
  await expect(engine.start()).rejects.toThrow("early.setup: This engine is not started");
  const asks = defineService({
    id: "asks",
    setup: ({ engine }) => ({ actions: { ask: (n: number) => engine.execute("inner", n) } }),
  });
  const other = testEngine();
  other.define({ id: "inner" }).step("double", (ctx) => (ctx.payload as number) * 2);
  const outer = other
    .define({ id: "outer", services: [asks.withConfig()] })
    .step("ask", (ctx) => ctx.services.asks.ask(4));
  await other.start();
  expect(await other.execute(outer)).toBe(8);
});

/** A service whose action throws what it is given. */
const throws = defineService({
  id: "throws",
  setup: () => ({
    actions: {
      now: (thrown: unknown): number => {
        throw thrown;
      },
      later: async (thrown: unknown): Promise<number> => {
        throw thrown;
      },
    },
  }),
}).withConfig();

test.each(["now", "later"] as const)("what an action throws %s names service and action", async (action) => {
  const engine = testEngine();
  const caught: unknown[] = [];
  const workflow = engine
    .define({ id: "w", services: [throws] })
    .step("call", async (ctx) => {
      try {
        return await ctx.services.throws[action](Object.assign(new TypeError("broken"), { code: "E_BROKEN" }));
      } catch (error) {
        caught.push(error);
        throw error;
      }
    })
    .retry({ attempts: 2, backoff: { delay: 1 } });
  await engine.start();
  const error = await engine.execute(workflow).catch((thrown: RunError) => thrown);
  expect(error).toBeInstanceOf(RunError);
  expect((error as RunError).error).toMatchObject({
    name: "ServiceError",
    message: `throws.${action}: broken`,
    code: "E_BROKEN",
    stack: expect.stringContaining("caused by TypeError: broken"),
  });
  expect(caught).toHaveLength(2);
  expect(caught[0]).toBeInstanceOf(ServiceError);
  expect(caught[0]).toMatchObject({ service: "throws", action, cause: expect.any(TypeError) });
});

test("what no attempt helps against is not tried again, and a cancel is a cancel", async () => {
  const engine = testEngine();
  let attempts = 0;
  engine
    .define({ id: "final", services: [throws] })
    .step("call", (ctx) => {
      attempts += 1;
      return ctx.services.throws.now(new NonRetryableError("never"));
    })
    .retry({ attempts: 5, backoff: { delay: 1 } });
  const calls = defineService({ id: "calls", setup: () => ({ actions: { back: (call: () => void) => call() } }) });
  engine
    .define({ id: "cancels", services: [calls.withConfig()] })
    .step("call", (ctx) => ctx.services.calls.back(() => ctx.cancel("enough")));
  await engine.start();
  await expect(engine.execute("final")).rejects.toThrow("throws.now: never");
  expect(attempts).toBe(1);
  await expect(engine.execute("cancels")).rejects.toMatchObject({ status: "cancelled", error: { message: "enough" } });
});

test("each call is a line in a log that was given, without its arguments, and is counted", async () => {
  const { log, lines } = keptLog();
  const auth = "a-token-of-this-test";
  const engine = testEngine({ log, auth });
  const workflow = engine
    .define({ id: "w", services: [counter.withConfig({ config: { from: 0 } }), throws] })
    .step("add", (ctx) => ctx.services.counter.add(4711))
    .step("later", (ctx) => ctx.services.counter.later(1))
    .step("fails", (ctx) => ctx.services.throws.now("no"))
    .onError(() => null);
  await engine.start();
  const runId = await engine.trigger(workflow);
  await engine.result(runId);
  const calls = lines.filter(([level]) => level === "debug");
  const line = { run: runId, ms: expect.any(Number) };
  expect(calls).toEqual([
    [
      "debug",
      "counter.add completed",
      { ...line, service: "counter", action: "add", step: "add", outcome: "completed" },
    ],
    [
      "debug",
      "counter.later completed",
      { ...line, service: "counter", action: "later", step: "later", outcome: "completed" },
    ],
    ["debug", "throws.now failed", { ...line, service: "throws", action: "now", step: "fails", outcome: "failed" }],
  ]);
  expect(JSON.stringify(calls)).not.toContain("4711");
  const headers = { authorization: `Bearer ${auth}` };
  const metrics = await (await engine.fetch(new Request("http://x/cronflow/metrics", { headers }))).json();
  expect(metrics).toMatchObject({
    services: [
      { service: "counter", healthy: true },
      { service: "throws", healthy: true },
    ],
    actions: [
      { service: "counter", action: "add", calls: 1, failures: 0, totalMs: expect.any(Number) },
      { service: "counter", action: "later", calls: 1, failures: 0 },
      { service: "throws", action: "now", calls: 1, failures: 1 },
    ],
  });
});

test("a service says how it is", async () => {
  const ill = defineService({
    id: "ill",
    version: "1.2",
    setup: () => ({
      actions: {},
      health: async () => {
        throw new Error("no connection");
      },
    }),
  });
  const auth = "a-token-of-this-test";
  const engine = testEngine({ services: [ill.withConfig()], auth });
  await engine.start();
  const headers = { authorization: `Bearer ${auth}` };
  const metrics = await (await engine.fetch(new Request("http://x/cronflow/metrics", { headers }))).json();
  expect((metrics as { services: unknown }).services).toEqual([
    { service: "ill", version: "1.2", healthy: false, message: "ill.health: no connection" },
  ]);
});
