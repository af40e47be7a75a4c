/** `ctx.state` and `cronflow.state`, as users see them. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, InvalidError, NonRetryableError } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

const quick = { attempts: 3, backoff: { delay: 0 } } as const;

test("a step that is tried three times counts once", async () => {
  const engine = testEngine();
  const seen: number[] = [];
  engine
    .define({ id: "counts" })
    .step("x", (ctx) => {
      seen.push(ctx.state.incr("n"));
      if (ctx.attempt < 3) throw new Error("again");
    })
    .retry(quick)
    .step("read", (ctx) => ctx.state.get("n"));
  await engine.start();
  expect(await engine.execute("counts")).toBe(1);
  expect(await engine.execute("counts")).toBe(2);
  expect(seen).toEqual([1, 1, 1, 2, 2, 2]);
});

test("a handler reads its own writes; others see them when it has returned", async () => {
  const engine = testEngine();
  const [written, looked] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const workflow = engine
    .define({ id: "writes" })
    .parallel({
      writer: async (ctx) => {
        const { state } = ctx;
        state.set("object", { list: [1] });
        state.set("gone", 1);
        state.delete("gone");
        state.incr("n", 2.5);
        state.incr("n", -1);
        const own = [state.get("object"), state.get("gone", "standard"), state.get("n"), state.get("never")];
        written.resolve();
        await looked.promise;
        return own;
      },
      reader: async (ctx) => {
        await written.promise;
        const other = ctx.state.get("object", "not yet");
        looked.resolve();
        return other;
      },
    })
    .step("after", (ctx) => [ctx.last, ctx.state.get("object"), ctx.state.get("gone"), ctx.state.get("n")]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([
    { writer: [{ list: [1] }, "standard", 1.5, null], reader: "not yet" },
    { list: [1] },
    null,
    1.5,
  ] as never);
});

test("what a handler does to a value it has read changes nothing", async () => {
  const engine = testEngine();
  engine
    .define({ id: "copies" })
    .action("set", (ctx) => ctx.state.set("list", [1]))
    .action("push", (ctx) => ctx.state.get<number[]>("list")?.push(2))
    .step("read", (ctx) => ctx.state.get("list"));
  await engine.start();
  expect(await engine.execute("copies")).toEqual([1]);
});

test("changes of an attempt that fails, is cancelled or comes too late are dropped", async () => {
  const engine = testEngine();
  const late = Promise.withResolvers<void>();
  engine
    .define({ id: "drops" })
    .action("fails", (ctx) => {
      ctx.state.set("failed", 1);
      throw new NonRetryableError("no");
    })
    .onError((ctx) => ctx.state.set("saved", 1))
    .action("slow", async (ctx) => {
      ctx.state.set("late", ctx.attempt);
      if (ctx.attempt === 1) await late.promise;
    })
    .timeout(200)
    .retry(quick)
    .action("report", () => late.resolve())
    .step("read", (ctx) => [ctx.state.get("failed"), ctx.state.get("saved"), ctx.state.get("late")]);
  engine.define({ id: "cancels" }).step("x", (ctx) => {
    ctx.state.set("cancelled", 1);
    ctx.cancel();
  });
  await engine.start();
  expect(await engine.execute("drops")).toEqual([null, 1, 2]);
  await engine.execute("cancels").catch(() => {});
});

test("each workflow has a state of its own, which all its runs share", async () => {
  const engine = testEngine();
  for (const id of ["a", "b"]) engine.define({ id }).step("x", (ctx) => ctx.state.incr("n"));
  await engine.start();
  await Promise.all(Array.from({ length: 100 }, () => engine.execute("a")));
  expect(await engine.execute("b")).toBe(1);
  expect(await engine.execute("a")).toBe(101);
  expect(await engine.state.get("n")).toBeUndefined();
});

test("items of a loop that are done at the same time are all counted", async () => {
  const engine = testEngine();
  engine
    .define({ id: "items" })
    .forEach(
      "l",
      Array.from({ length: 50 }, (_, index) => index),
      (_, flow) => flow.action("x", (ctx) => ctx.state.incr("n")),
      { concurrency: 10 },
    )
    .step("read", (ctx) => ctx.state.get("n"));
  await engine.start();
  expect(await engine.execute("items")).toBe(50);
});

test("a value with a ttl is gone after it, and not before", async () => {
  const engine = testEngine();
  engine
    .define({ id: "ttl" })
    .action("set", (ctx) => {
      ctx.state.set("short", 1, { ttl: 300 });
      ctx.state.set("long", 1, { ttl: "1h" });
    })
    .step("now", (ctx) => [ctx.state.get("short"), ctx.state.get("long")])
    .sleep(300)
    .step("later", (ctx) => [...ctx.steps.now.output, ctx.state.get("short"), ctx.state.get("long")])
    .step("again", (ctx) => [...ctx.last, ctx.state.incr("short")]);
  await engine.start();
  expect(await engine.execute("ttl")).toEqual([1, 1, null, 1, 1]);
});

test("a set without a ttl ends the one that was there; adding keeps it", async () => {
  const engine = testEngine();
  engine
    .define({ id: "ttl" })
    .action("set", (ctx) => {
      ctx.state.set("kept", 1, { ttl: 300 });
      ctx.state.set("counted", 1, { ttl: 300 });
    })
    .action("again", (ctx) => {
      ctx.state.set("kept", 2);
      ctx.state.incr("counted");
    })
    .sleep(300)
    .step("read", (ctx) => [ctx.state.get("kept"), ctx.state.get("counted")]);
  await engine.start();
  expect(await engine.execute("ttl")).toEqual([2, null]);
});

test("a value that is read for the first time takes nothing from runs whose time has come", async () => {
  const engine = testEngine();
  const workflow = engine.define({ id: "busy" }).parallel([
    (flow) => flow.sleep(5).step("woke", () => "woke"),
    (ctx) => {
      // The loop of events stands still, so that the read is the first that the core hears after the sleep is over.
      const until = Date.now() + 20;
      while (Date.now() < until);
      return ctx.state.get("unread", "nothing");
    },
  ]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual(["woke", "nothing"]);
});

test("state survives a restart", async () => {
  const database = join(temporaryDirectory(), "state.db");
  const define = (engine: Cronflow) => {
    engine.define({ id: "w" }).step("x", (ctx) => ctx.state.incr("n"));
    return engine;
  };
  const before = define(testEngine({ database }));
  await before.start();
  await before.execute("w");
  await before.state.set("shared", { a: [1] });
  await before.stop();
  const after = define(testEngine({ database }));
  await after.start();
  expect(await after.execute("w")).toBe(2);
  expect(await after.state.get("shared")).toEqual({ a: [1] });
});

test("what cannot be kept fails the step, and says what and where", async () => {
  const engine = testEngine();
  engine.define({ id: "nan", retry: quick }).step("x", (ctx) => ctx.state.set("k", { a: Number.NaN }));
  engine.define({ id: "text", retry: quick }).step("x", (ctx) => {
    ctx.state.set("k", "text");
    ctx.state.incr("k");
  });
  engine.define({ id: "large", retry: quick }).step("x", (ctx) => ctx.state.set("k", "x".repeat(262_145)));
  engine.define({ id: "key", retry: quick }).step("x", (ctx) => ctx.state.set("", 1));
  engine.define({ id: "infinite", retry: quick }).step("x", (ctx) => ctx.state.incr("k", Number.POSITIVE_INFINITY));
  await engine.start();
  expect(engine.execute("nan")).rejects.toThrow("value of `k` in the state");
  expect(engine.execute("text")).rejects.toThrow("`k` of the state is not a number");
  expect(engine.execute("large")).rejects.toThrow("262144 bytes");
  expect(engine.execute("key")).rejects.toThrow("key has from 1 to 512 bytes");
  expect(engine.execute("infinite")).rejects.toThrow("Infinity cannot be added");
});

test("what is wrong with a value is not tried again", async () => {
  const engine = testEngine();
  let calls = 0;
  engine.define({ id: "nan", retry: quick }).step("x", (ctx) => {
    calls += 1;
    ctx.state.set("k", Number.NaN);
  });
  await engine.start();
  await engine.execute("nan").catch(() => {});
  expect(calls).toBe(1);
});

test("the state that all workflows share changes in transactions of its own", async () => {
  const engine = testEngine();
  engine.define({ id: "fails" }).step("x", async () => {
    await engine.state.incr("tries");
    throw new Error("no");
  });
  await engine.start();
  await engine.execute("fails").catch(() => {});
  expect(await engine.state.get("tries")).toBe(1);
  const sums = await Promise.all(Array.from({ length: 1_000 }, () => engine.state.incr("n", 2)));
  expect(Math.max(...sums)).toBe(2_000);
  expect(new Set(sums).size).toBe(1_000);
  await engine.state.set("k", null);
  expect(await engine.state.get("k", "standard")).toBeNull();
  await engine.state.delete("k");
  expect(await engine.state.get("k", "standard")).toBe("standard");
  await engine.state.set("n", undefined);
  expect(await engine.state.get("n")).toBeUndefined();
  expect(engine.state.set("", 1)).rejects.toBeInstanceOf(InvalidError);
  await engine.state.set("text", "t");
  expect(engine.state.incr("text")).rejects.toMatchObject({ code: "not_a_number" });
});

test("conditions, filters and items may change the state too", async () => {
  const engine = testEngine();
  engine
    .define({ id: "functions" })
    .if((ctx) => ctx.state.incr("asked") > 0)
    .endIf()
    .while(
      "l",
      (ctx) => ctx.state.incr("asked") < 4,
      () => undefined,
    )
    .step("read", (ctx) => ctx.state.get("asked"));
  await engine.start();
  expect(await engine.execute("functions")).toBe(4);
});
