/** What is larger than the engine takes at once fails for whom it belongs to; and when the engine breaks down, nobody waits for ever. */
import { afterEach, expect, test } from "bun:test";
import { type Cronflow, RunError } from "cronflow-ffi";
import { Cronflow as Engine } from "./app.ts";
import { Definitions } from "./definitions.ts";
import { BugError } from "./errors.ts";
import { Core } from "./native/binding.ts";
import { LIMITS } from "./native/generated.ts";
import { testEngine } from "./testing/engines.ts";

/** A payload of the largest that is recorded. */
const LARGEST = "x".repeat(LIMITS.VALUE_BYTES - 2);
/** So many of them are more than a request may have. */
const MANY = LIMITS.REQUEST_BYTES / LIMITS.VALUE_BYTES;

/** Lets `alive` tell whether the engine goes on. */
function defineAlive(engine: Cronflow): void {
  engine.define({ id: "alive" }).step("s", () => "alive");
}

test("an event whose copies are too large together is refused to its publisher alone", async () => {
  const engine = testEngine();
  defineAlive(engine);
  for (let place = 0; place < MANY; place += 1) {
    engine
      .define({ id: `w${place}` })
      .onEvent("import")
      .step("s", (ctx) => (ctx.payload as string).length);
  }
  await engine.start();
  const [large, small] = await Promise.allSettled([
    engine.publishEvent("import", LARGEST),
    engine.publishEvent("import", "x"),
  ]);
  expect(large).toMatchObject({
    status: "rejected",
    reason: {
      code: "request_too_large",
      message: expect.stringMatching(
        /^The event "import" cannot be published: each of the 16 workflows that listen is given a copy of its 4194304 bytes\. This has 71\d{6} bytes, and at most 67108608 can be recorded at once\. Publish where the data is/,
      ),
    },
  });
  expect(small).toMatchObject({ status: "fulfilled", value: { runIds: { length: MANY } } });
  expect(await engine.execute("alive")).toBe("alive");
});

test("the items of a poll may be more than the engine takes at once", async () => {
  const engine = testEngine();
  const { promise: last, resolve } = Promise.withResolvers<unknown>();
  defineAlive(engine);
  const text = LARGEST.slice(0, -100);
  const items = Array.from({ length: MANY + 1 }, (_, id) => ({ id, text }));
  engine
    .define({ id: "import" })
    .onPoll(() => items, { interval: "1h" })
    .step("s", (ctx) => {
      const { id } = ctx.payload as { id: number };
      if (id === MANY) resolve(id);
    });
  await engine.start();
  expect(await last).toBe(MANY);
  expect((await engine.list({ workflowId: "import" })).runs).toHaveLength(items.length);
  expect(await engine.execute("alive")).toBe("alive");
});

test("an attempt that changes too much of the state at once fails, and says which step and how much", async () => {
  const engine = testEngine();
  defineAlive(engine);
  const value = "x".repeat(LIMITS.STATE_VALUE_BYTES - 2);
  let calls = 0;
  engine
    .define({ id: "fills", retry: { attempts: 3, backoff: { delay: 0 } } })
    .step("fill", (ctx) => {
      calls += 1;
      for (let key = 0; key < 256; key += 1) ctx.state.set(`k${key}`, value);
    })
    .step("read", (ctx) => ctx.state.get("k0", "nothing"));
  await engine.start();
  const error: unknown = await engine.execute("fills").catch((thrown) => thrown);
  expect(error).toBeInstanceOf(RunError);
  expect((error as RunError).error).toMatchObject({
    code: "request_too_large",
    message: expect.stringMatching(
      /^Step `fill` changes too much of `ctx\.state` at once: 671\d{5} bytes\. This has 671\d{5} bytes, and at most 67108608 can be recorded at once\. Change less in one step\.$/,
    ),
  });
  expect(calls).toBe(1);
  expect(await engine.execute("alive")).toBe("alive");
});

test("starts that are too large together are all done", async () => {
  const engine = testEngine();
  engine.define({ id: "echo" }).step("s", (ctx) => (ctx.payload as string).length);
  await engine.start();
  const starts = Array.from({ length: MANY + 1 }, () => engine.execute("echo", LARGEST));
  expect(await Promise.all(starts)).toEqual(starts.map(() => LARGEST.length as never));
});

const broken: Engine[] = [];
afterEach(async () => {
  for (const engine of broken.splice(0)) await engine.stop();
});

test("when the engine breaks down, whoever waits hears of it, and it can be stopped", async () => {
  let isBroken = false;
  class BreakingCore extends Core {
    override submit(request: string): boolean {
      if (isBroken) throw new BugError("poisoned", "the core is broken");
      return super.submit(request);
    }
  }
  const lines: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (line: string) => lines.push(line) };
  const engine = new Engine(
    { database: ":memory:", log },
    { definitions: new Definitions(), openCore: (config) => new BreakingCore(config), services: {} },
  );
  broken.push(engine);
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  engine.define({ id: "sleeps" }).sleep("1h");
  engine.define({ id: "executes" }).step("s", async () => {
    begin();
    await held;
  });
  await engine.start();
  const waiting = engine.result(await engine.trigger("sleeps"));
  const executing = engine.execute("executes");
  await begun;
  isBroken = true;
  const calls = [
    engine.trigger("sleeps"),
    engine.publishEvent("any", 1),
    engine.state.set("key", 1),
    executing,
    waiting,
  ];
  const heard = await Promise.allSettled(calls);
  const later = await Promise.allSettled([engine.trigger("sleeps")]);
  const reason = { code: "poisoned", message: "the core is broken" };
  expect([...heard, ...later]).toMatchObject(Array(6).fill({ status: "rejected", reason }));
  release();
  await engine.stop();
  expect(lines[0]).toStartWith("cronflow: the engine stopped after an internal error");
});
