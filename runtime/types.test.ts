/** What the compiler knows: `tsc` fails when an expected error is none, and when a type is not the one named. */
import { expect, test } from "bun:test";
import { createCronflow, type Flow, type PayloadOf, type Recorded, type RunInputOf, type TimedOut } from "cronflow-ffi";
import { testApp } from "cronflow-ffi/testing";
import { z } from "zod";
import { METHODS, type Method } from "./builder/methods.ts";
import { testEngine } from "./testing/engines.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function isType<Expected>() {
  return <Actual>(_value: Actual, _same: Same<Expected, Actual>): void => {};
}

test("every word of the flow language is known to the builder", () => {
  isType<Exclude<keyof Flow<unknown>, "types">>()(METHODS[0] as Method, true);
  expect(METHODS.length).toBeGreaterThan(0);
});

test("types flow from the schema through every step to the output", () => {
  const engine = createCronflow();
  const workflow = engine
    .define({ id: "types" })
    .onWebhook("/types", { schema: z.object({ amount: z.number(), at: z.coerce.date() }) })
    .step("charge", (ctx) => {
      isType<number>()(ctx.payload.amount, true);
      isType<string>()(ctx.payload.at, true); // A Date is recorded as a string.
      isType<undefined>()(ctx.last, true);
      // @ts-expect-error no such field
      ctx.payload.colour;
      // @ts-expect-error a step does not see itself
      ctx.steps.charge;
      return { id: "c1", paid: ctx.payload.amount, at: new Date() };
    })
    .retry({ attempts: 3 })
    .action("mail", async (ctx) => {
      isType<string>()(ctx.last.at, true);
      return 5;
    })
    .step({ id: "ship", title: "Ship it" }, async (ctx) => {
      isType<string>()(ctx.steps.charge.output.id, true);
      isType<number>()(ctx.last.paid, true); // The action passes `last` through.
      // @ts-expect-error an action has no output
      ctx.steps.mail;
      // @ts-expect-error no such step
      ctx.steps.shop;
      return ["a", "b"] as const;
    })
    .onError((ctx) => {
      isType<string>()(ctx.error.message, true);
      return null;
    })
    .step("last", (ctx) => {
      isType<readonly ["a", "b"] | null>()(ctx.last, true);
      isType<readonly ["a", "b"] | null>()(ctx.steps.ship.output, true);
      return ctx.last;
    });
  // Checked by the compiler only.
  const never = async (): Promise<void> => {
    isType<readonly ["a", "b"] | null>()(await engine.execute(workflow, { amount: 1, at: "" }), true);
    await engine.trigger(engine.define({ id: "free" }).step("x", () => 1));
    // @ts-expect-error a payload is needed
    await engine.trigger(workflow);
    // @ts-expect-error wrong payload
    await engine.trigger(workflow, { amount: "1" });
    // @ts-expect-error no such option
    engine.define({ id: "x", colour: "red" });
  };
  expect(never).toBeFunction();
});

test("payloads of several triggers are a union, and unknown without a schema", () => {
  createCronflow()
    .define({ id: "union" })
    .onWebhook("/a", { schema: z.object({ a: z.number() }) })
    .manual({ schema: z.string() })
    .step("x", (ctx) => isType<{ a: number } | string>()(ctx.payload, true));
  createCronflow()
    .define({ id: "bare" })
    .step("x", (ctx) => isType<unknown>()(ctx.payload, true));
  expect(() => createCronflow().define({ id: "-" })).toThrow("not of the form");
});

test("calls take what the schema of manual takes, handlers see what it makes of that", async () => {
  const engine = testEngine();
  const length = engine
    .define({ id: "length" })
    .onWebhook("/length", { schema: z.object({ web: z.boolean() }) })
    .manual({ schema: z.object({ text: z.string().transform((text) => text.length), by: z.number().default(5) }) })
    .if(() => true)
    .step("x", (ctx) => {
      isType<{ web: boolean } | { text: number; by: number }>()(ctx.payload, true);
      return "text" in ctx.payload ? ctx.payload.text * ctx.payload.by : 0;
    })
    .endIf()
    .onEvent("late", { schema: z.number() });
  isType<{ text: string; by?: number | undefined }>()({} as RunInputOf<typeof length>, true);
  isType<{ web: boolean } | { text: number; by: number } | number>()({} as PayloadOf<typeof length>, true);
  const optional = engine.define({ id: "optional" }).manual({ schema: z.number().default(3) }).step("x", (ctx) => ctx.payload); // biome-ignore format: one line
  const first = engine.define({ id: "first" }).manual({ schema: z.string() }).manual({ schema: z.number() }).step("x", (ctx) => ctx.payload); // biome-ignore format: one line
  const bare = engine.define({ id: "bare" }).manual().manual({ schema: z.number() }).step("x", (ctx) => ctx.payload); // biome-ignore format: one line
  isType<unknown>()({} as RunInputOf<typeof bare>, true);
  await engine.start();
  expect(await engine.execute(length, { text: "abc" })).toBe(15);
  expect(await engine.result(await engine.trigger(length, { text: "abc", by: 2 }))).toBe(6);
  expect(await engine.execute(optional)).toBe(3);
  expect(await engine.execute(first, "one")).toBe("one");
  expect(await engine.execute(bare, { any: 1 })).toEqual({ any: 1 });
  expect((await length.test().trigger({ text: "ab" }).run()).output).toBe(10);
  await using app = testApp([optional, length]);
  expect((await app.run(await app.trigger(length, { text: "a" }))).output).toBe(5);
  expect((await app.run(await app.trigger(optional))).output).toBe(3);
  // Checked by the compiler only.
  const never = async (): Promise<void> => {
    // @ts-expect-error what handlers see is not what the schema takes
    await engine.execute(length, { text: 3, by: 1 });
    // @ts-expect-error the schema of the webhook is not asked
    await engine.trigger(length, { web: true });
    // @ts-expect-error what handlers see is not what the schema takes
    length.test().trigger({ text: 3, by: 1 });
    // @ts-expect-error what handlers see is not what the schema takes
    await app.trigger(length, { text: 3, by: 1 });
    // @ts-expect-error the schema of the second is not asked
    await engine.trigger(first, 1);
  };
  expect(never).toBeFunction();
});

test("where JSON has no undefined there is null", async () => {
  const engine = testEngine();
  const holes = engine
    .define({ id: "holes" })
    .step("list", () => ({ some: [1, undefined], none: [undefined] as const, all: [() => {}].map((call) => call()) }))
    .step("look", (ctx) => {
      isType<{ some: (number | null)[]; none: readonly [null]; all: null[] }>()(ctx.last, true);
      return [ctx.last] as const;
    })
    .parallel([() => {}, async () => undefined, (ctx) => ctx.last])
    .step("pass", (ctx) => {
      isType<[null, null, readonly [{ some: (number | null)[]; none: readonly [null]; all: null[] }]]>()(
        ctx.last,
        true,
      );
      return ctx.last;
    })
    .parallel({ none: () => {}, one: (): number | undefined => undefined, pass: (ctx) => ctx.last })
    .step("named", (ctx) => {
      isType<null>()(ctx.last.none, true);
      isType<number | null>()(ctx.last.one, true);
      return { ...ctx.last, pass: ctx.last.pass[2][0] };
    })
    .forEach(
      "each",
      () => [1, undefined],
      (item, flow) => {
        isType<number | null>()(item, true);
        return flow.step("item", (ctx) => {
          isType<number | null>()(ctx.item, true);
          return ctx.item ?? undefined;
        });
      },
    )
    .batch("lots", { items: (ctx) => ctx.last, size: 2 }, (lot, flow) => {
      isType<readonly (number | null)[]>()(lot, true);
      return flow.action("nothing-of-it", () => lot);
    })
    .step("end", (ctx) => {
      isType<null[]>()(ctx.last, true);
      isType<(number | null)[]>()(ctx.steps.each.output, true);
      return [ctx.steps.named.output, ctx.steps.each.output, ctx.last];
    });
  isType<[a: 1, b?: 2 | null]>()([1] as Recorded<[a: 1, b?: 2 | undefined]>, true);
  isType<unknown[]>()([] as Recorded<unknown[]>, true);
  await engine.start();
  const seen = { some: [1, null], none: [null], all: [null] };
  expect(await engine.execute(holes)).toEqual([{ none: null, one: null, pass: seen }, [1, null], [null]] as never);
});

test("after an if `last` is one of the branches, and its steps may be missing", () => {
  createCronflow()
    .define({ id: "ifs" })
    .step("first", () => 1)
    .if("large", (ctx) => {
      isType<number>()(ctx.last, true);
      return ctx.steps.first.output > 5;
    })
    .step("a", (ctx) => {
      isType<number>()(ctx.last, true);
      return "a";
    })
    .step("a2", (ctx) => ctx.steps.a.output.length > 0)
    .elseIf(async (ctx) => {
      isType<number>()(ctx.last, true);
      // @ts-expect-error a step of another branch
      ctx.steps.a;
      return true;
    })
    .step("b", (ctx) => {
      isType<number>()(ctx.last, true);
      // @ts-expect-error a step of another branch
      ctx.steps.a;
      return { b: true };
    })
    .endIf()
    .step("after", (ctx) => {
      isType<number | boolean | { b: boolean }>()(ctx.last, true); // Without an else, what was before is one of them.
      isType<number>()(ctx.steps.first.output, true);
      isType<string | undefined>()(ctx.steps.a?.output, true);
      isType<boolean | undefined>()(ctx.steps.b?.output.b, true);
      // @ts-expect-error the branch may not have been done
      ctx.steps.a.output;
    })
    .if((ctx) => ctx.last === undefined)
    .if("inner", () => true)
    .step("deep", () => "deep")
    .endIf()
    .step("flat", (ctx) => {
      isType<string | undefined>()(ctx.last, true);
      return null;
    })
    .else()
    .cancel("enough")
    .endIf()
    .step("end", (ctx) => {
      isType<null>()(ctx.last, true); // The other branch does not come here.
      isType<string | undefined>()(ctx.steps.deep?.output, true);
      isType<null | undefined>()(ctx.steps.flat?.output, true);
      // @ts-expect-error cancel has no output
      ctx.steps.cancel;
    });
  // Checked by the compiler only.
  const never = (): void => {
    const workflow = createCronflow().define({ id: "misplaced" });
    // @ts-expect-error no if is open
    workflow.endIf();
    // @ts-expect-error no if is open
    workflow.else();
    // @ts-expect-error else stands last
    workflow.if(() => true).else().elseIf(() => true); // biome-ignore format: the error is in one line
    // @ts-expect-error else stands once
    workflow.if(() => true).else().else(); // biome-ignore format: the error is in one line
    // @ts-expect-error one endIf too many
    workflow.if(() => true).endIf().endIf(); // biome-ignore format: the error is in one line
    // @ts-expect-error the if of the body is open
    workflow.forEach("loop", [1], (_item, flow) => flow.if(() => true).step("x", () => 1));
  };
  expect(never).toBeFunction();
});

test("after parallel `last` is the tuple or the object, after race a union", () => {
  createCronflow()
    .define({ id: "parallels" })
    .manual({ schema: z.object({ n: z.number() }) })
    .step("first", () => "first")
    .parallel([
      (ctx) => ctx.payload.n,
      async (ctx) => ctx.last.length > 0,
      (flow) => flow.step("in", (ctx) => ({ at: new Date(), was: ctx.steps.first.output })),
      () => {},
    ])
    .step("tuple", (ctx) => {
      isType<[number, boolean, { at: string; was: string }, null]>()(ctx.last, true);
      // @ts-expect-error a step inside is not seen outside
      ctx.steps.in;
      return 0;
    })
    .parallel(
      {
        a: (ctx) => ctx.last,
        b: (flow) =>
          flow
            .if((ctx) => ctx.last > 0)
            .step("b1", () => "b")
            .endIf(),
      },
      { name: "both" },
    )
    .onError((ctx) => {
      isType<string>()(ctx.error.message, true);
      return null;
    })
    .step("object", (ctx) => {
      isType<{ a: number; b: string | number } | null>()(ctx.last, true);
      isType<{ a: number; b: string | number } | null>()(ctx.steps.both.output, true);
    })
    .race([(ctx) => ctx.payload.n, (flow) => flow.step("slow", () => "slow")])
    .onError(() => false)
    .step("raced", (ctx) => isType<string | number | boolean>()(ctx.last, true));
  createCronflow()
    .define({ id: "handlers" })
    .parallel([(ctx) => ctx.log.info("x"), (ctx) => ctx.attempt, (flow) => flow.log("x").cancel("no")])
    .step("mixed", (ctx) => isType<[null, number, never]>()(ctx.last, true));
  const never = (): void => {
    createCronflow()
      .define({ id: "wrong" })
      // @ts-expect-error no such step
      .parallel([(ctx) => ctx.steps.nothing]);
  };
  expect(never).toBeFunction();
});

test("a while carries `last` from iteration to iteration", () => {
  createCronflow()
    .define({ id: "whiles" })
    .step("first", () => ({ page: 0 }))
    .while(
      "pages",
      (ctx) => ctx.last.page < 3,
      (ctx) => ({ page: ctx.last.page + 1 }),
    )
    .step("same", (ctx) => {
      isType<{ page: number }>()(ctx.last, true);
      isType<{ page: number }>()(ctx.steps.pages.output, true);
      return "start";
    })
    .while<number, "other">(
      "other",
      (ctx) => {
        isType<string | number>()(ctx.last, true);
        return typeof ctx.last === "string" || ctx.last < 3;
      },
      (flow) => flow.step("count", (ctx) => (typeof ctx.last === "string" ? 0 : ctx.last + 1)),
    )
    .step("union", (ctx) => {
      isType<string | number>()(ctx.last, true);
      isType<string | number>()(ctx.steps.other.output, true);
    })
    .while(
      "nothing",
      (ctx) => ctx.last === undefined,
      async () => {},
      { maxIterations: 3 },
    );
  const never = (): void => {
    createCronflow()
      .define({ id: "wrong" })
      .step("first", () => ({ page: 0 }))
      .while(
        "pages",
        (ctx) => ctx.last.page < 3,
        // @ts-expect-error the next iteration would find no page
        (ctx) => ctx.last.page + 1,
      );
  };
  expect(never).toBeFunction();
});

test("the body of forEach and batch has its own `last`, and a typed item", () => {
  createCronflow()
    .define({ id: "loops" })
    .step("orders", () => [{ id: "o1", at: new Date(), lines: [1, 2] }])
    .forEach(
      "each",
      (ctx) => ctx.last,
      (order, flow) => {
        isType<string>()(order.at, true);
        return flow
          .step("charge", (ctx) => {
            isType<undefined>()(ctx.last, true);
            isType<{ id: string; at: string; lines: number[] }>()(ctx.item, true);
            isType<number>()(ctx.index, true);
            isType<string>()(ctx.steps.orders.output[0]?.at ?? "", true);
            // @ts-expect-error not a batch
            ctx.batch;
            return order.id;
          })
          .batch("lines", { items: order.lines, size: 2 }, (batch, inner) =>
            inner.step("sum", (ctx) => {
              isType<readonly number[]>()(ctx.batch, true);
              isType<string>()(ctx.steps.charge.output, true);
              // @ts-expect-error a batch has no item
              ctx.item;
              return batch.length;
            }),
          )
          .parallel([(ctx) => ctx.item.id, (ctx) => ctx.last])
          .action("log", (ctx) => isType<[string, number[]]>()(ctx.last, true));
      },
      { concurrency: 5 },
    )
    .step("after", (ctx) => {
      isType<[string, number[]][]>()(ctx.last, true);
      isType<[string, number[]][]>()(ctx.steps.each.output, true);
      // @ts-expect-error a step inside is not seen outside
      ctx.steps.charge;
      // @ts-expect-error no item outside of a loop
      ctx.item;
    });
  const never = (): void => {
    createCronflow()
      .define({ id: "wrong" })
      // @ts-expect-error a body returns a flow
      .forEach("each", [1], (item) => item)
      // @ts-expect-error a trigger belongs to the workflow
      .forEach("other", [1], (_item, flow) => flow.manual());
  };
  expect(never).toBeFunction();
});

test("waits give what they waited for", () => {
  const child = createCronflow()
    .define({ id: "child" })
    .manual({ schema: z.object({ n: z.number() }) })
    .step("double", (ctx) => ctx.payload.n * 2);
  createCronflow()
    .define({ id: "waits" })
    .waitForEvent("paid", {
      name: "payment",
      timeout: "1h",
      schema: z.object({ amount: z.number() }),
      filter: (event, ctx) => event.amount > 5 && ctx.last === undefined,
    })
    .step("paid", (ctx) => {
      isType<{ amount: number } | TimedOut>()(ctx.last, true);
      isType<{ amount: number } | TimedOut>()(ctx.steps.payment.output, true);
    })
    .waitForEvent("shipped", { schema: z.object({ by: z.string() }) })
    .step("shipped", (ctx) => isType<{ by: string }>()(ctx.last, true))
    .waitForEvent("anything")
    .step("anything", (ctx) => isType<unknown>()(ctx.last, true))
    .humanInTheLoop({
      name: "ok",
      approvalUrl: (token) => `https://example.com/${token}`,
      onPause: (ctx, token) => {
        isType<string>()(token, true);
        isType<string | undefined>()(ctx.approvalUrl, true);
      },
    })
    .step("approved", (ctx) => {
      isType<boolean>()(ctx.last.approved, true);
      isType<"approved" | "rejected" | "timeout">()(ctx.steps.ok.output.status, true);
      isType<unknown>()(ctx.last["comment"], true);
      return 7;
    })
    .sleep((ctx) => ctx.last * 1_000)
    .sleepUntil((ctx) => new Date(ctx.last))
    .subflow("child", child, (ctx) => ({ n: ctx.last }))
    .step("number", (ctx) => isType<number>()(ctx.last, true))
    .subflow("unknown", "child", { n: 1 })
    .step("unknowing", (ctx) => {
      isType<unknown>()(ctx.last, true);
      isType<number>()(ctx.steps.child.output, true);
      isType<number>()(ctx.state.get("count", 1), true);
      if (ctx.attempt > 3) ctx.cancel("too often");
      return ctx.meta.tags;
    });
  const never = (): void => {
    const workflow = createCronflow().define({ id: "wrong" });
    // @ts-expect-error wrong input
    workflow.subflow("child", child, { n: "1" });
    // @ts-expect-error wrong input
    workflow.subflow("child", child, () => "1");
    // @ts-expect-error what is given without an input is not what the child's payload is
    workflow.subflow("child", child);
    // @ts-expect-error what is given without an input is not what the child's payload is
    workflow.step("text", () => "a hundred").subflow("child", child);
    // @ts-expect-error nor is a part of it
    workflow.step("part", () => ({ n: [1] })).subflow("child", child);
    const length = createCronflow()
      .define({ id: "length" })
      .manual({ schema: z.string().transform((text) => text.length) })
      .step("x", (ctx) => ctx.payload);
    // @ts-expect-error the schema is not applied: what it makes is to be given
    workflow.subflow("child", length, "text");
    workflow.subflow("child", length, 4);
    // @ts-expect-error a function is called with the context
    workflow.subflow("child", "child", (ctx: { nothing: 1 }) => ctx.nothing);
    interface Described {
      readonly n: number;
    }
    const described: Described = { n: 1 };
    workflow.subflow("child", "child", described).subflow("other", child, described);
    workflow.step("whole", () => ({ n: 1, more: true })).subflow("child", child);
    // @ts-expect-error no such option
    workflow.waitForEvent("paid", { colour: "red" });
  };
  expect(never).toBeFunction();
});

test("limits of a workflow are typed", () => {
  createCronflow().define({
    id: "limits",
    concurrency: { limit: 5, key: (payload: { tenant: string }) => payload.tenant },
    rateLimit: { count: 10, per: "1s" },
    queue: { name: "mail", concurrency: 2 },
    priority: -5,
    retention: "30d",
  });
  const never = (): void => {
    // @ts-expect-error a limit is a number
    createCronflow().define({ id: "wrong", concurrency: "5" });
  };
  expect(never).toBeFunction();
});
