import { expect, test } from "bun:test";
import { join } from "node:path";
import { NonRetryableError, RunError } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

const quick = { attempts: 3, backoff: { strategy: "fixed", delay: 1 } } as const;

test("runs steps in order, records their outputs, and gives the last one", async () => {
  const engine = testEngine();
  const order: string[] = [];
  const workflow = engine
    .define({ id: "three" })
    .step("a", (ctx) => {
      order.push("a");
      return { payload: ctx.payload as number };
    })
    .action("b", (ctx) => {
      order.push("b");
      return `dropped, and sees ${ctx.last.payload}`;
    })
    .step("c", async (ctx) => {
      order.push("c");
      return ctx.steps.a.output.payload + 1;
    });
  await engine.start();
  expect(await engine.execute(workflow, 7)).toBe(8);
  expect(order).toEqual(["a", "b", "c"]);
  const { runs } = await engine.list();
  const record = await engine.inspect(runs[0]?.runId as string);
  expect(record).toMatchObject({ status: "completed", payload: 7, output: 8, trigger: { type: "manual" } });
  expect(record.attempts.map(({ step, output }) => [step, output])).toEqual([
    ["a", { payload: 7 }],
    ["b", undefined],
    ["c", 8],
  ]);
});

test.each([0, "", null, false, undefined])("takes %p as a payload and as an output", async (value) => {
  const engine = testEngine();
  engine.define({ id: "echo" }).step("echo", (ctx) => ctx.payload);
  await engine.start();
  expect(await engine.execute("echo", value)).toBe(value as never);
  expect((await engine.inspect((await engine.list()).runs[0]?.runId as string)).payload).toBe(value);
});

test("handlers see what is recorded, and do not share it", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "recorded" })
    .step("date", () => ({ at: new Date(0), list: [1] }))
    .action("changes", (ctx) => (ctx.last as { list: number[] }).list.push(2))
    .step("reads", (ctx) => [typeof ctx.last.at, ctx.last.list.length]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual(["string", 1]);
});

test("tries again until a step succeeds, with one idempotency key and a growing attempt", async () => {
  const engine = testEngine();
  const seen: [number, string][] = [];
  engine
    .define({ id: "flaky" })
    .step("flaky", (ctx) => {
      seen.push([ctx.attempt, ctx.idempotencyKey]);
      if (ctx.attempt < 3) throw new Error("not yet");
      return "done";
    })
    .retry(quick);
  await engine.start();
  expect(await engine.execute("flaky")).toBe("done");
  expect(seen.map(([attempt]) => attempt)).toEqual([1, 2, 3]);
  expect(new Set(seen.map(([, key]) => key)).size).toBe(1);
});

test("fails the run after the last attempt, at once after a NonRetryableError", async () => {
  const engine = testEngine();
  let calls = 0;
  const fails = (error: unknown) => () => {
    calls += 1;
    throw error;
  };
  engine.define({ id: "exhausted", retry: quick }).step("x", fails(new TypeError("no")));
  engine.define({ id: "hopeless", retry: quick }).step("x", fails(new NonRetryableError("never")));
  await engine.start();
  expect(engine.execute("exhausted")).rejects.toThrow("failed: no");
  await engine
    .execute("exhausted")
    .catch((error) => expect(error).toMatchObject({ status: "failed", error: { name: "TypeError", message: "no" } }));
  expect(calls).toBe(6);
  expect(engine.execute("hopeless")).rejects.toBeInstanceOf(RunError);
  await engine.execute("hopeless").catch(() => {});
  expect(calls).toBe(8);
});

test.each([
  ["text", "text"],
  [{ code: 5 }, "code: 5"],
  [null, "null"],
  [undefined, "undefined"],
  [Symbol("s"), "Symbol(s)"],
])("records %p when a handler throws it", async (thrown, expected) => {
  const engine = testEngine();
  engine.define({ id: "throws" }).step("x", () => {
    throw thrown;
  });
  await engine.start();
  await engine.execute("throws").then(
    () => expect.unreachable(),
    (error) => expect(error.error).toMatchObject({ name: "NonError", message: expect.stringContaining(expected) }),
  );
});

test("an output that is not JSON fails its step without another attempt, and names the place", async () => {
  const engine = testEngine();
  let calls = 0;
  engine.define({ id: "bad", retry: quick }).step("x", () => {
    calls += 1;
    return { items: [{ price: Number.NaN }] };
  });
  await engine.start();
  await engine.execute("bad").then(
    () => expect.unreachable(),
    (error) => expect(error.message).toContain("$.items[0].price is NaN"),
  );
  expect(calls).toBe(1);
});

test("onError gives the step its output after the last attempt failed", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "saved" })
    .step("x", (): string => {
      throw new Error("broken");
    })
    .retry(quick)
    .onError((ctx) => `saved from ${ctx.error.message}`)
    .step("y", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe("saved from broken");
});

test("a step that takes too long is aborted and tried again; its late result is refused", async () => {
  const engine = testEngine();
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const reasons: string[] = [];
  engine
    .define({ id: "slow" })
    .step("x", async (ctx) => {
      if (ctx.attempt > 1) return "second";
      ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason.name));
      await late;
      return "first";
    })
    .retry(quick)
    .timeout(20)
    .action("y", async () => {
      resolve(); // Now the first attempt reports, long after it has ended.
      await Promise.resolve();
    });
  await engine.start();
  expect(await engine.execute("slow")).toBe("second");
  expect(reasons).toEqual(["TimeoutError"]);
  const record = await engine.inspect((await engine.list()).runs[0]?.runId as string);
  expect(record.attempts.map(({ step, status }) => `${step} ${status}`)).toEqual([
    "x timed_out",
    "x completed",
    "y completed",
  ]);
});

test("a run that takes too long fails, and its handler is aborted", async () => {
  const engine = testEngine();
  const { promise: aborted, resolve } = Promise.withResolvers<string>();
  engine.define({ id: "long", timeout: 20 }).step("x", (ctx) => {
    ctx.signal.addEventListener("abort", () => resolve(ctx.signal.reason.message));
    return new Promise(() => {});
  });
  await engine.start();
  await engine.execute("long").then(
    () => expect.unreachable(),
    (error) => expect(error.error.code).toBe("run_timeout"),
  );
  expect(await aborted).toContain("workflow's timeout");
});

test("a delayed step waits, and is not early", async () => {
  const engine = testEngine();
  engine
    .define({ id: "delayed" })
    .step("x", () => Date.now())
    .delay(40);
  await engine.start();
  const at = await engine.execute("delayed");
  const { createdAt } = (await engine.list()).runs[0] as { createdAt: Date };
  expect(at as number).toBeGreaterThanOrEqual(createdAt.getTime() + 40);
});

test("cancels an executing and a waiting run, which is not a failure", async () => {
  const engine = testEngine();
  const failures: string[] = [];
  engine
    .define({ id: "stuck", hooks: { onFailure: () => failures.push("called") } })
    .step("x", () => new Promise(() => {}));
  engine
    .define({ id: "sleeps" })
    .step("x", () => 1)
    .delay("1d");
  await engine.start();
  for (const id of ["stuck", "sleeps"]) {
    const runId = await engine.trigger(id);
    await engine.cancelRun(runId, "not wanted");
    expect(await engine.inspect(runId)).toMatchObject({ status: "cancelled", error: { message: "not wanted" } });
    expect(engine.result(runId)).rejects.toThrow("was cancelled: not wanted");
    expect(engine.cancelRun(runId)).rejects.toMatchObject({ name: "ConflictError", code: "run_ended" });
  }
  expect(failures).toEqual([]);
});

test("hooks are called for each step and once for the run, and a broken hook harms nothing", async () => {
  const engine = testEngine();
  const calls: string[] = [];
  const onSuccess = (_: unknown, step?: string): void => void calls.push(`success ${step}`);
  engine
    .define({ id: "good", hooks: { onSuccess } })
    .step("a", () => 1)
    .step("b", () => 2);
  const { promise: hooked, resolve } = Promise.withResolvers<void>();
  engine
    .define({
      id: "bad",
      hooks: {
        onFailure(ctx, step) {
          calls.push(`failure ${step} ${ctx.error?.message}`);
          if (step === undefined) resolve();
          throw new Error("broken hook");
        },
      },
    })
    .step("a", () => Promise.reject(new Error("no")));
  await engine.start();
  expect(await engine.execute("good")).toBe(2);
  await engine.execute("bad").catch(() => {});
  await hooked;
  expect(calls).toEqual(["success a", "success b", "success undefined", "failure a no", "failure undefined no"]);
});

test("1,000 starts with one idempotency key are one run; another payload is a conflict", async () => {
  const engine = testEngine();
  engine.define({ id: "once" }).step("x", () => 1);
  await engine.start();
  const ids = await Promise.all(
    Array.from({ length: 1_000 }, () => engine.trigger("once", { a: 1 }, { idempotencyKey: "k" })),
  );
  expect(new Set(ids).size).toBe(1);
  expect(engine.trigger("once", { a: 2 }, { idempotencyKey: "k" })).rejects.toMatchObject({
    name: "ConflictError",
    code: "idempotency_conflict",
  });
  expect((await engine.list()).runs).toHaveLength(1);
});

test("lists runs newest first, filtered and in pages", async () => {
  const engine = testEngine();
  engine.define({ id: "a" }).step("x", () => 1);
  engine.define({ id: "b" }).step("x", () => Promise.reject(new Error("no")));
  await engine.start();
  const ids: string[] = [];
  for (let each = 0; each < 5; each += 1) {
    ids.unshift(await engine.trigger("a"));
    await engine.result(ids[0] as string);
  }
  await engine.execute("b").catch(() => {});
  const first = await engine.list({ workflowId: "a", limit: 3 });
  const second = await engine.list({ workflowId: "a", limit: 3, cursor: first.cursor as string });
  expect([...first.runs, ...second.runs].map(({ runId }) => runId)).toEqual(ids);
  expect(second.cursor).toBeUndefined();
  expect((await engine.list({ status: "failed" })).runs).toMatchObject([{ workflowId: "b", error: { message: "no" } }]);
  expect((await engine.list({ since: Date.now() + 1_000 })).runs).toEqual([]);
});

test("executes as many runs at a time as allowed, and all in the end", async () => {
  const engine = testEngine({ concurrency: 3 });
  let executing = 0;
  let most = 0;
  engine.define({ id: "busy" }).step("x", async () => {
    executing += 1;
    most = Math.max(most, executing);
    await Promise.resolve();
    executing -= 1;
  });
  await engine.start();
  await Promise.all(Array.from({ length: 50 }, () => engine.execute("busy")));
  expect(most).toBe(3);
});

test("unknown workflows and runs, and use before start, are clear errors", async () => {
  const engine = testEngine();
  engine.define({ id: "known" }).step("x", () => 1);
  expect(engine.trigger("known")).rejects.toThrow("call start() first");
  await engine.start();
  expect(engine.start()).rejects.toThrow("already started");
  expect(engine.trigger("unknown")).rejects.toMatchObject({ name: "NotFoundError", code: "workflow_not_found" });
  expect(engine.inspect("run_0000000000000")).rejects.toMatchObject({ code: "run_not_found" });
  expect(engine.inspect("nonsense")).rejects.toMatchObject({ name: "InvalidError" });
  expect(() => engine.define({ id: "late" })).toThrow("defined after start()");
});

test("wrong definitions are errors where they are written, with both places named", async () => {
  const engine = testEngine();
  expect(() => engine.define({ id: "no spaces" })).toThrow("workflow id");
  const twice = engine
    .define({ id: "twice" })
    .step("x", () => 1)
    .step("y", () => 1);
  expect(() => twice.step("x", () => 1)).toThrow("two steps named `x`: number 1 and number 3");
  expect(() => engine.define({ id: "twice" })).toThrow("Two workflows have the id `twice`");
  expect(() => engine.define({ id: "none" }).retry({})).toThrow(".retry() follows a step");
  expect(engine.start()).rejects.toThrow("workflow `none` has no steps");
});

test("onError sees the time-out that ended the last attempt", async () => {
  const engine = testEngine();
  engine
    .define({ id: "late" })
    .step("x", () => new Promise(() => {}))
    .timeout(10)
    .onError((ctx) => (ctx.error as { code?: string }).code);
  await engine.start();
  expect(await engine.execute("late")).toBe("step_timeout");
});

test("stop lets a run finish its remaining steps, and does not wait for handlers whose attempt has ended", async () => {
  const engine = testEngine();
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  engine
    .define({ id: "two" })
    .step("a", async () => {
      resolve();
      await Bun.sleep(5);
    })
    .step("b", () => "done");
  engine
    .define({ id: "hangs" })
    .step("x", () => new Promise(() => {}))
    .timeout(5)
    .onError(() => "given up");
  await engine.start();
  expect(await engine.execute("hangs")).toBe("given up");
  const result = engine.execute("two");
  await begun;
  await engine.stop({ timeout: "1h" });
  expect(await result).toBe("done");
});

test("who waits for a run when the engine stops hears of it", async () => {
  const engine = testEngine();
  engine
    .define({ id: "sleeps" })
    .step("x", () => 1)
    .delay("1d");
  await engine.start();
  const runId = await engine.trigger("sleeps");
  const waiting = engine.result(runId).catch((error) => error);
  await engine.inspect(runId);
  await engine.stop();
  expect(await waiting).toMatchObject({ name: "UnavailableError", code: "closed" });
  expect(engine.trigger("sleeps")).rejects.toMatchObject({ code: "closed" });
});

test("a changed workflow takes up runs that still fit, parks those that do not, and leaves ended ones alone", async () => {
  const database = join(temporaryDirectory(), "versions.db");
  const { promise: hooked, resolve } = Promise.withResolvers<void>();
  const before = testEngine({ database });
  const owed = { onSuccess: (_: unknown, step?: string) => step === undefined && new Promise<void>(() => resolve()) };
  const never = (): Promise<never> => new Promise(() => {});
  before.define({ id: "ended", hooks: owed }).step("old", () => 1);
  before
    .define({ id: "fits" })
    .step("first", () => 1)
    .step("second", never);
  before
    .define({ id: "gone" })
    .step("first", () => 1)
    .step("second", never);
  await before.start();
  const [ended, fits, gone] = [
    await before.trigger("ended"),
    await before.trigger("fits"),
    await before.trigger("gone"),
  ];
  await hooked;
  while ((await before.inspect(gone)).attempts.length + (await before.inspect(fits)).attempts.length < 2)
    await Bun.sleep(1);
  await before.stop({ timeout: 0 });

  const after = testEngine({ database });
  const { promise: calledAgain, resolve: again } = Promise.withResolvers<void>();
  after.define({ id: "ended", hooks: { onSuccess: (_, step) => step === undefined && again() } }).step("new", () => 2);
  after
    .define({ id: "fits" })
    .step("first", () => 1)
    .step("other", (ctx) => `after ${ctx.steps.first.output}`);
  after.define({ id: "gone" }).step("renamed", () => 1);
  await after.start();
  await calledAgain;
  expect(await after.result(fits)).toBe("after 1");
  expect(await after.inspect(gone)).toMatchObject({ status: "stuck", error: { code: "definition_changed" } });
  expect(await after.inspect(ended)).toMatchObject({ status: "completed", output: 1 });
});

test("log writes its line once, at its level, and passes last through", async () => {
  const lines: string[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const engine = testEngine({ log, durability: "relaxed" });
  const workflow = engine
    .define({ id: "logs" })
    .step("x", () => 5)
    .log("plain")
    .log((ctx) => `x gave ${ctx.last}`, "warn")
    .step("y", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe(5);
  expect(lines).toEqual(["info plain", "warn x gave 5"]);
});

test("two who stop it wait for the same stop, and who stops it while it starts waits for that", async () => {
  const engine = testEngine();
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  engine.define({ id: "long" }).step("long", () => {
    begun.resolve();
    return release.promise;
  });
  const starting = engine.start();
  const stopped = engine.stop();
  await starting;
  await stopped;
  await expect(engine.list()).rejects.toThrow();
  await engine.start();
  await engine.trigger("long");
  await begun.promise;
  const stops = [engine.stop(), engine.stop()];
  release.resolve();
  await Promise.all(stops);
  await engine.start();
  expect((await engine.list()).runs).toMatchObject([{ status: "completed" }]);
});

test.each([Number.NaN, 0.5, Number.POSITIVE_INFINITY])(
  "a priority of %p is refused to its caller alone",
  async (priority) => {
    const engine = testEngine();
    const workflow = engine.define({ id: "w" }).step("s", () => 1);
    await engine.start();
    const [refused, other] = [engine.execute(workflow, undefined, { priority }), engine.execute(workflow)];
    await expect(refused).rejects.toThrow(`\`priority\` is ${priority}; give a whole number from -100 to 100.`);
    expect(await other).toBe(1);
  },
);
