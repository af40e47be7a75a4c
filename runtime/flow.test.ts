/** Branches, as users see them. */
import { expect, test } from "bun:test";
import { type Cronflow, createCronflow, InvalidError, RunError, type RunRecord } from "cronflow-ffi";
import { testEngine } from "./testing/engines.ts";

/** `step@scope handler status` of each ended attempt. */
function history(record: RunRecord): string[] {
  return record.attempts.map(({ step, scope, handler, status }) => {
    return `${step}${scope === "" ? "" : `@${scope}`} ${handler} ${status}`;
  });
}

/** Why a run did not complete. */
async function failure(result: Promise<unknown>): Promise<RunError> {
  const error = await result.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(RunError);
  return error;
}

async function lastRun(engine: Cronflow): Promise<RunRecord> {
  return engine.inspect((await engine.list({ limit: 1 })).runs[0]?.runId as string);
}

test.each([
  [1, "small"],
  [10, "medium"],
  [100, "large"],
  [-1, "none"],
])("an if with %p does the first branch whose condition holds", async (amount, expected) => {
  const engine = testEngine();
  const asked: string[] = [];
  const asks = (name: string, holds: boolean): boolean => {
    asked.push(name);
    return holds;
  };
  const workflow = engine
    .define({ id: "ifs" })
    .step("amount", (ctx) => ctx.payload as number)
    .if("size", (ctx) => asks("large", ctx.last > 50))
    .step("a", () => "large")
    .elseIf(async (ctx) => asks("medium", ctx.last > 5))
    .step("b", () => "medium")
    .elseIf((ctx) => asks("small", ctx.last > 0))
    .step("c", () => "small")
    .else()
    .step("d", () => "none")
    .endIf()
    .step("end", (ctx) => [ctx.last, Object.keys(ctx.steps).sort()]);
  await engine.start();
  const taken = { large: "a", medium: "b", small: "c", none: "d" }[expected] as string;
  expect(await engine.execute(workflow, amount)).toEqual([expected, [taken, "amount"].sort()]);
  const order = ["large", "medium", "small"];
  expect(asked).toEqual(expected === "none" ? order : order.slice(0, order.indexOf(expected) + 1));
});

test("an if without a branch to do passes last through, also when it is nested", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "nothing" })
    .step("x", () => 1)
    .if(() => true)
    .if("inner", () => false)
    .step("no", () => "no")
    .endIf()
    .endIf()
    .step("y", (ctx) => [ctx.last, ctx.steps.no?.output ?? "not done"]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([1, "not done"]);
});

test("a condition that throws fails its if, which can be tried again and saved", async () => {
  const engine = testEngine();
  let calls = 0;
  const broken = (): boolean => {
    calls += 1;
    throw new Error("no answer");
  };
  engine
    .define({ id: "fails" })
    .if("asks", broken)
    .retry({ attempts: 2, backoff: { delay: 0 } })
    .step("x", () => 1)
    .endIf();
  engine
    .define({ id: "saved" })
    .if("asks", broken)
    .step("x", () => 1)
    .endIf()
    .onError((ctx) => `saved from ${ctx.error.message}`)
    .step("y", (ctx) => ctx.last);
  await engine.start();
  expect((await failure(engine.execute("fails"))).error.message).toBe("no answer");
  expect(calls).toBe(2);
  expect(await engine.execute("saved")).toBe("saved from no answer");
});

test("onError of an if saves what fails inside it, as that of other blocks does", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "inside" })
    .if(() => true)
    .step("x", (): number => {
      throw new Error("no");
    })
    .endIf()
    .onError((ctx) => `saved from ${ctx.error.message}`)
    .step("y", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe("saved from no");
});

test("what onError of an if gave is still there after the run has waited", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "waited" })
    .if((): boolean => {
      throw new Error("no");
    })
    .step("x", () => 1)
    .endIf()
    .onError((ctx) => `saved from ${ctx.error.message}`)
    .step("late", (ctx) => ctx.last)
    .delay(1);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe("saved from no");
});

test("parallel gives a tuple or an object, and its branches see what was before, not each other", async () => {
  const engine = testEngine();
  const workflow = engine
    .define({ id: "both" })
    .step("start", () => 10)
    .parallel([
      (ctx) => ctx.last + 1,
      (flow) => flow.step("twice", (ctx) => ctx.last * 2).step("more", (ctx) => [ctx.last, ctx.steps.start.output]),
    ])
    .parallel({ a: (ctx) => ctx.last[0], b: async (ctx) => ctx.last[1], nothing: () => undefined }, { name: "named" })
    .step("end", (ctx) => ({ last: ctx.last, named: ctx.steps.named.output, hasTwice: "twice" in ctx.steps }));
  await engine.start();
  const named = { a: 11, b: [20, 10], nothing: null };
  expect(await engine.execute(workflow, undefined)).toMatchObject({ last: named, named });
});

test("branches of a parallel execute at the same time", async () => {
  const engine = testEngine();
  const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const workflow = engine.define({ id: "meet" }).parallel([
    async () => {
      one.resolve();
      await two.promise;
      return 1;
    },
    async () => {
      two.resolve();
      await one.promise;
      return 2;
    },
  ]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([1, 2]);
});

test("a branch that fails makes its parallel fail after the others have ended, and onError saves the block", async () => {
  const engine = testEngine();
  const { promise: failed, resolve } = Promise.withResolvers<void>();
  const onFailure = (_: unknown, step?: string): void => void (step === "p.1" && resolve());
  const ended: string[] = [];
  engine
    .define({ id: "half", hooks: { onFailure } })
    .parallel(
      [
        () => Promise.reject(new Error("broken")),
        async () => {
          await failed;
          ended.push("the other branch");
        },
      ],
      { name: "p" },
    )
    .onError((ctx) => [ctx.error.message, ...ended]);
  await engine.start();
  expect(await engine.execute("half")).toEqual(["broken", "the other branch"]);
});

test("a step in a branch that is saved by its own onError does not fail the block", async () => {
  const engine = testEngine();
  const workflow = engine.define({ id: "own" }).parallel([
    () => 1,
    (flow) =>
      flow
        .step("bad", (): number => {
          throw new Error("no");
        })
        .onError(() => "saved"),
  ]);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toEqual([1, "saved"]);
});

test("the first branch of a race that succeeds wins; the others are aborted and recorded as cancelled", async () => {
  const engine = testEngine();
  const { promise: aborted, resolve } = Promise.withResolvers<string>();
  const { promise: waits, resolve: begun } = Promise.withResolvers<void>();
  const workflow = engine
    .define({ id: "race" })
    .race(
      [
        () => Promise.reject(new Error("fails first")),
        (ctx) => {
          ctx.signal.addEventListener("abort", () => resolve(ctx.signal.reason.name));
          begun();
          return new Promise<string>(() => {});
        },
        (flow) => flow.sleep("1d").step("never", () => "late"),
        async () => {
          await waits;
          return "won";
        },
      ],
      { name: "r" },
    )
    .step("end", (ctx) => ctx.last);
  await engine.start();
  expect(await engine.execute(workflow, undefined)).toBe("won");
  expect(await aborted).toBe("AbortError");
  const found = history(await lastRun(engine));
  expect(found).toContain("r.1 body failed");
  expect(found).toContain("r.2 body cancelled");
  expect(found.filter((row) => row.startsWith("sleep-"))).toEqual(["sleep-4 body cancelled"]);
  expect(found.some((row) => row.startsWith("never"))).toBe(false);
});

test("a race that all branches lose fails with the first error", async () => {
  const engine = testEngine();
  const second = Promise.withResolvers<void>();
  engine.define({ id: "lost", hooks: { onFailure: (_, step) => void (step === "r.2" && second.resolve()) } }).race(
    [
      async () => {
        await second.promise;
        throw new Error("later");
      },
      () => Promise.reject(new Error("first")),
    ],
    { name: "r" },
  );
  await engine.start();
  expect((await failure(engine.execute("lost"))).error.message).toBe("first");
});

test("unbalanced blocks, empty blocks and names used twice are errors where they are written", async () => {
  const open = createCronflow({ database: ":memory:" });
  open
    .define({ id: "open" })
    .if("never-closed", () => true)
    .step("x", () => 1);
  expect(open.start()).rejects.toThrow("`never-closed`, number 1, is not closed. Add .endIf()");
  // What the compiler refuses is refused without it, too.
  const words = () =>
    createCronflow().define({ id: "w" }) as unknown as Record<
      "endIf" | "else" | "parallel" | "race" | "forEach",
      (...given: unknown[]) => unknown
    >;
  const wrong: [() => unknown, string][] = [
    [() => words().endIf(), ".endIf() without an open .if()"],
    [() => words().else(), ".else() without an open .if()"],
    [() => words().parallel([]), "has no branches"],
    [() => words().race({ a: () => 1 }), "give a list"],
    [() => words().forEach("l", [1], (_: unknown, flow: unknown) => flow), "has no steps"],
    [() => words().forEach("l", [1], () => undefined), "something else than the flow"],
  ];
  for (const [define, message] of wrong) {
    expect(define).toThrow(message);
    expect(define).toThrow(InvalidError);
  }
  const twice = () =>
    createCronflow()
      .define({ id: "two" })
      .step("x", () => 1)
      .parallel([(flow) => flow.step("x", () => 2)]);
  expect(twice).toThrow("two steps named `x`: number 1 and number 3 (in branch 1 of `parallel-2`)");
});
