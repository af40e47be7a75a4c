/** What the builder tells the core, what it refuses, and how it tells handlers from flows. */
import { describe, expect, test } from "bun:test";
import { z } from "zod";
import type { AnyContext } from "../context.ts";
import { Definition, type WorkflowOptions } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import type { NodeMessage } from "../native/protocol.ts";
import { type Branch, mayBuild } from "./branch.ts";
import type { Method } from "./methods.ts";
import { isPlaceholder, placeholder } from "./placeholder.ts";
import { Workflow } from "./workflow.ts";

const begin = (options: Partial<WorkflowOptions> = {}) => new Workflow(new Definition({ id: "w", ...options }));

function nodesOf(workflow: { readonly definition: Definition }): NodeMessage[] {
  return workflow.definition.toMessage().nodes;
}

/** The message of the `InvalidError` that a definition is refused with. */
function refused(define: () => unknown): string {
  try {
    define();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidError);
    expect((error as InvalidError).code).toBe("definition_invalid");
    return (error as InvalidError).message;
  }
  throw new Error("the definition was not refused");
}

/** The builder without its types, for what the compiler already refuses. */
type Loose = { readonly [M in Method]: (...given: unknown[]) => Loose } & {
  readonly definition: Definition;
  readonly payload: unknown;
  readonly last: Loose;
};
const loose = (_?: unknown): Loose => begin() as unknown as Loose;

const context = (fields: Partial<AnyContext> = {}): AnyContext => fields as AnyContext;

describe("messages", () => {
  test("steps carry their options, and the workflow's retry if they have none", () => {
    const workflow = begin({ retry: { attempts: 2, backoff: { delay: "1s" } } })
      .step("plain", () => 1)
      .step({ id: "full", title: "Full" }, () => 2, { delay: 5 })
      .retry({ attempts: 4, backoff: { strategy: "fixed", delay: "2s", maxDelay: "3s", jitter: true } })
      .timeout("1m")
      .cache({ key: () => "k", ttl: "1h" })
      .circuitBreaker()
      .onError(() => 0)
      .action("act", () => 3)
      .circuitBreaker({ name: "bank", failureThreshold: 2, recoveryTimeout: "5s" })
      .sleep("1s");
    const retry = { attempts: 2, strategy: "exponential", delay_ms: 1_000 } as const;
    expect(nodesOf(workflow)).toEqual([
      { kind: "step", name: "plain", retry },
      {
        kind: "step",
        name: "full",
        timeout_ms: 60_000,
        delay_ms: 5,
        retry: { attempts: 4, strategy: "fixed", delay_ms: 2_000, max_delay_ms: 3_000, jitter: 1 },
        on_error: true,
        cache: true,
        circuit: { name: "w.full", threshold: 5, recovery_ms: 30_000 },
      },
      { kind: "action", name: "act", retry, circuit: { name: "bank", threshold: 2, recovery_ms: 5_000 } },
      { kind: "sleep", name: "sleep-4", duration_ms: 1_000 },
    ]);
    expect(workflow.definition.node("full")?.options.title).toBe("Full");
  });

  test("limits of the whole workflow", () => {
    const { nodes: _, ...message } = begin({
      concurrency: { limit: 5, key: () => "tenant" },
      rateLimit: { count: 10, per: "1s" },
      queue: "mail",
      priority: -3,
      retention: "1d",
      timeout: "1h",
      version: "2",
      hooks: { onSuccess: () => {}, onFailure: () => {} },
    }).definition.toMessage();
    expect(message).toEqual({
      id: "w",
      version: "2",
      timeout_ms: 3_600_000,
      on_success: true,
      on_failure: true,
      concurrency: 5,
      rate_limit: { count: 10, per_ms: 1_000 },
      queue: { name: "mail" },
      priority: -3,
      retention_ms: 86_400_000,
    });
    expect(begin({ concurrency: 7, queue: { name: "q", concurrency: 2 } }).definition.toMessage()).toMatchObject({
      concurrency: 7,
      queue: { name: "q", concurrency: 2 },
    });
  });

  test("blocks are trees, and nodes without a name are numbered over the whole workflow", () => {
    const workflow = begin()
      .step("a", () => 1)
      .if(() => true)
      .log("in the first branch")
      .elseIf(() => false)
      .else()
      .if("inner", () => true)
      .step("b", () => 2)
      .endIf()
      .endIf()
      .parallel([() => 1, (flow) => flow.step("c", () => 3)])
      .parallel({ x: () => 1, y: (flow) => flow.sleepUntil(5) }, { name: "both" })
      .race([(flow) => flow.waitForEvent("paid", { timeout: "1s" }), () => 2])
      .onError(() => null)
      .while(
        "loop",
        () => false,
        () => undefined,
        { maxIterations: 9 },
      )
      .forEach("each", [1, 2], (_item, flow) => flow.humanInTheLoop({ description: "Approve" }), { concurrency: 3 })
      .batch("lots", { items: () => [1], size: 10 }, (_items, flow) => flow.subflow("child", "other"))
      .subflow("fed", "other", { n: 1 })
      .waitForEvent("shipped", { filter: () => true, name: "ship" })
      .humanInTheLoop({ timeout: 5, onPause: () => {}, onTimeout: () => {}, metadata: { at: new Date(0) } })
      .cancel("enough");
    expect(nodesOf(workflow)).toEqual([
      { kind: "step", name: "a" },
      {
        kind: "if",
        name: "if-2",
        branches: [[{ kind: "action", name: "log-3" }], []],
        otherwise: [{ kind: "if", name: "inner", branches: [[{ kind: "step", name: "b" }]] }],
      },
      {
        kind: "parallel",
        name: "parallel-6",
        branches: [[{ kind: "step", name: "parallel-6.1" }], [{ kind: "step", name: "c" }]],
      },
      {
        kind: "parallel",
        name: "both",
        keys: ["x", "y"],
        branches: [[{ kind: "step", name: "both.x" }], [{ kind: "sleep_until", name: "sleep-11", until_ms: 5 }]],
      },
      {
        kind: "race",
        name: "race-12",
        on_error: true,
        branches: [
          [{ kind: "wait_for_event", name: "wait-13", event: "paid", wait_ms: 1_000 }],
          [{ kind: "step", name: "race-12.2" }],
        ],
      },
      { kind: "while", name: "loop", max_iterations: 9, body: [{ kind: "step", name: "loop.body" }] },
      {
        kind: "for_each",
        name: "each",
        concurrency: 3,
        body: [{ kind: "approval", name: "approval-18", description: "Approve" }],
      },
      {
        kind: "for_each",
        name: "lots",
        concurrency: 1,
        size: 10,
        body: [{ kind: "subflow", name: "child", workflow: "other" }],
      },
      { kind: "subflow", name: "fed", workflow: "other", input: true },
      { kind: "wait_for_event", name: "ship", event: "shipped", filter: true },
      {
        kind: "approval",
        name: "approval-23",
        wait_ms: 5,
        on_pause: true,
        on_timeout: true,
        metadata: { at: "1970-01-01T00:00:00.000Z" },
      },
      { kind: "cancel", name: "cancel-24", reason: "enough" },
    ]);
    const { definition } = workflow;
    expect(definition.node("loop.body")?.loops).toMatchObject([{ name: "loop", kind: "while", names: ["loop.body"] }]);
    expect(definition.node("child")?.loops).toMatchObject([{ name: "lots", kind: "for_each", size: 10 }]);
    expect(definition.node("both.x")?.loops).toEqual([]);
    expect([...definition.nodes.keys()]).toHaveLength(24);
  });
});

describe("functions", () => {
  const functionOf = (workflow: { readonly definition: Definition }, node: string, name: string) =>
    workflow.definition.node(node)?.functions[name as "body"] as (context: AnyContext) => unknown;

  test("the condition of an if is the number of the first true branch, asked in order", async () => {
    const asked: number[] = [];
    const condition = (number: number, answer: boolean | Promise<boolean>) => () => {
      asked.push(number);
      return answer;
    };
    const of = (...answers: (boolean | Promise<boolean>)[]) => {
      const workflow = begin().if("i", condition(0, answers[0] as boolean));
      workflow.elseIf(condition(1, answers[1] as boolean)).endIf();
      return functionOf(workflow, "i", "condition")(context());
    };
    expect(of(true, true)).toBe(0);
    expect(of(false, true)).toBe(1);
    expect(of(false, false)).toBe(2);
    expect(asked).toEqual([0, 0, 1, 0, 1]);
    expect(of(Promise.resolve(false), true)).toBeInstanceOf(Promise);
    expect(await of(Promise.resolve(false), true)).toBe(1);
    expect(await of(false, Promise.resolve(false))).toBe(2);
  });

  test("a while answers 1 or 0, durations are milliseconds, items are given as they are", async () => {
    const workflow = begin()
      .while(
        "loop",
        (ctx) => ctx.attempt === 1,
        () => undefined,
      )
      .sleep((ctx) => `${ctx.attempt}s`, { name: "nap" })
      .sleepUntil(async () => "1970-01-01T00:00:01Z", { name: "until" })
      .forEach("each", [1, 2], (_item, flow) => flow.step("x", () => 1))
      .subflow("child", "other", 0);
    expect(functionOf(workflow, "loop", "condition")(context({ attempt: 1 }))).toBe(1);
    expect(functionOf(workflow, "loop", "condition")(context({ attempt: 2 }))).toBe(0);
    expect(functionOf(workflow, "nap", "duration")(context({ attempt: 3 }))).toBe(3_000);
    expect(await functionOf(workflow, "until", "duration")(context())).toBe(1_000);
    expect(functionOf(workflow, "each", "items")(context())).toEqual([1, 2]);
    expect(functionOf(workflow, "child", "input")(context())).toBe(0);
    expect(() =>
      functionOf(
        begin().sleep(() => "soon"),
        "sleep-1",
        "duration",
      )(context()),
    ).toThrow("not a duration");
  });

  test("an event is wanted when it matches the schema and the filter takes it", async () => {
    const warnings: unknown[] = [];
    const log = { ...console, warn: (...line: unknown[]) => void warnings.push(line) };
    const workflow = begin()
      .waitForEvent("a", { name: "filtered", filter: (event) => (event as { n: number }).n > 1 })
      .waitForEvent("b", {
        name: "parsed",
        schema: z.object({ n: z.number() }),
        filter: async (event) => event.n > 1,
      });
    const filtered = functionOf(workflow, "filtered", "filter");
    expect(filtered(context({ event: { n: 2 } }))).toBe(true);
    expect(filtered(context({ event: { n: 1 } }))).toBe(false);
    const parsed = functionOf(workflow, "parsed", "filter");
    expect(await parsed(context({ event: { n: 2 }, log }))).toBe(true);
    expect(await parsed(context({ event: { n: 1 }, log }))).toBe(false);
    expect(warnings).toEqual([]);
    expect(await parsed(context({ event: { n: "2" }, log }))).toBe(false);
    expect(warnings).toHaveLength(1);
  });

  test("onPause is given the token", () => {
    const seen: unknown[] = [];
    const workflow = begin().humanInTheLoop({
      name: "ok",
      onPause: (_ctx, token) => seen.push(token),
      approvalUrl: (token) => `https://example.com/${token}`,
    });
    functionOf(workflow, "ok", "on_pause")(context({ token: "t1" }));
    expect(seen).toEqual(["t1"]);
    expect(workflow.definition.node("ok")?.approvalUrl?.("t1")).toBe("https://example.com/t1");
  });
});

describe("handlers and flows", () => {
  const branch = (given: unknown): NodeMessage[] => {
    const [node] = nodesOf(begin().parallel([given as () => unknown], { name: "p" }));
    return node !== undefined && "branches" in node ? (node.branches[0] as NodeMessage[]) : [];
  };
  let called = 0;
  const touched = (): number => {
    called += 1;
    return called;
  };

  test.each([
    ["an arrow", (f: Loose) => f.step("x", touched)],
    ["a function", function build(f: Loose) { return f.step("x", touched); }], // biome-ignore format: one line each
    ["one that returns what it was given", (f: Loose) => { f.step("x", touched); return f; }], // biome-ignore format: one line each
    ["one that gives it another name", (f: Loose) => { let g = f; g = g.step("x", touched); return g; }], // biome-ignore format: one line each
  ])("%s that builds is a flow", (_what, given) => {
    expect(branch(given)).toEqual([{ kind: "step", name: "x" }]);
  });

  test.each([
    ["an async function", async (f: Loose) => f.step("x", touched)],
    ["a function without parameters", () => touched()],
    ["one that calls methods of others", (ctx: Loose) => { [ctx].forEach(touched); console.log(touched()); }], // biome-ignore format: one line each
    ["one that takes its context apart", ({ last }: Loose) => last.step(touched())],
    ["one that asks its context first", (ctx: Loose) => { if (ctx.payload) touched(); ctx.cancel("no"); }], // biome-ignore format: one line each
    ["one that catches everything", (ctx: Loose) => { try { return ctx.last; } catch { return ctx.step("x"); } }], // biome-ignore format: one line each
    ["one that cancels", (ctx: Loose) => { if (called > -1) ctx.cancel("no"); return 1; }], // biome-ignore format: one line each
    ["a bound function", ((ctx: Loose) => ctx.step("x", touched)).bind(null)],
  ])("%s is a handler, and its work is not done at definition", (_what, given) => {
    called = 0;
    expect(branch(given)).toEqual([{ kind: "step", name: "p.1" }]);
    expect(called).toBe(0);
  });

  test("what a handler built before it was known as one is forgotten", () => {
    const workflow = begin()
      .parallel([(start) => start.step("x", () => 1) && start.payload])
      .step("x", () => 2);
    expect(nodesOf(workflow).map(({ name }) => name)).toEqual(["parallel-1", "x"]);
  });

  test("only what speaks to its parameter may build", () => {
    expect(mayBuild(((flow: Loose) => flow?.step("x")) as Branch)).toBe(true);
    expect(mayBuild(((flow: Loose) => loose(flow).step("x")) as Branch)).toBe(true);
    expect(mayBuild(((flow: Loose) => loose(flow)) as Branch)).toBe(false);
    expect(mayBuild((($f: Loose) => $f.step("x")) as Branch)).toBe(true);
    expect(mayBuild(((ctx: Loose) => (ctx.log as unknown as Console).info("x")) as Branch)).toBe(false);
    expect(mayBuild(((a: Loose) => ({ aa: a, x: (a.last as Loose).step("x") })) as Branch)).toBe(false);
  });
});

describe("items", () => {
  test("a placeholder can be read, called, written, counted with and walked through", () => {
    const item = placeholder(1) as { a: { b(n: number): { c: string } } } & Iterable<unknown> & unknown[];
    expect(isPlaceholder(item.a.b(1).c)).toBe(true);
    expect(`${item.a}`).toBe("item-1");
    expect(Number(item) > 5).toBe(true);
    expect([...item]).toHaveLength(1);
    expect(item.map((each) => each)).toBeFunction();
    expect(JSON.stringify({ item })).toBe("{}");
    expect(Object.keys(item)).toEqual([]);
    expect("x" in item).toBe(true);
    expect(`${placeholder(0)}`).not.toBe(`${item}`);
  });

  test("is not something to wait for", async () => {
    const item = placeholder(0);
    expect(await item).toBe(item);
  });

  test("the body is built again for each item, and its functions see the real one", () => {
    const workflow = begin().forEach("each", [{ n: 2, parts: [1, 2] }], (item, flow) =>
      flow
        .step("double", () => item.n * 2)
        .forEach("parts", item.parts, (part, inner) => inner.step("part", () => [item.n, part]))
        .subflow("child", "other", item),
    );
    const built = workflow.definition.node("double")?.loops[0]?.build?.({ n: 5, parts: [7] }, 0);
    const call = (name: string, kind: string) => built?.get(name)?.functions[kind as "body"]?.(context());
    expect([...(built?.keys() ?? [])]).toEqual(["double", "parts", "part", "child"]);
    expect(call("double", "body")).toBe(10);
    expect(call("parts", "items")).toEqual([7]);
    expect(call("child", "input")).toEqual({ n: 5, parts: [7] });
    // The loop inside is built with the item of the loop outside.
    const inside = built?.get("part")?.loops[1]?.build?.(7, 0);
    expect(inside?.get("part")?.functions.body?.(context())).toEqual([5, 7]);
  });

  test("nodes without a name have the same one when they are built again", () => {
    const workflow = begin()
      .sleep(1)
      .forEach("each", [1], (_item, flow) => flow.log("x").parallel([() => 1]));
    const built = workflow.definition.node("log-3")?.loops[0]?.build?.(1, 0);
    expect([...(built?.keys() ?? [])]).toEqual(["log-3", "parallel-4", "parallel-4.1"]);
  });

  test("bodies in bodies are tried a few times, not two, four, eight times", () => {
    let calls = 0;
    const nested = (depth: number, flow: Loose): Loose =>
      flow.forEach(`loop${depth}`, [1], (_item: unknown, inner: Loose) => {
        calls += 1;
        return depth === 20 ? inner.step("x", () => 1) : nested(depth + 1, inner);
      });
    nested(1, loose());
    expect(calls).toBeLessThan(21 * 21);
  });

  test("a shape that depends on the item is refused, and the difference is named", () => {
    const each = (body: (item: { id: string; n: number; lines: number[] }, flow: Loose) => unknown) =>
      refused(() => loose().forEach("each", [], body));
    expect(each((item, flow) => flow.step(`charge-${item.id}`, () => 1))).toContain(
      "in the body of `each` number 1 is step `charge-item-0` or step `charge-item-1`",
    );
    expect(
      each((item, flow) => (item.n > 3 ? flow.step("a", () => 1).step("b", () => 1) : flow.step("a", () => 1))),
    ).toContain("step `b` is built for one item and not for another");
    expect(
      each((item, flow) => {
        for (const line of item.lines) flow.step(`line${line}`, () => 1);
        return flow.step("end", () => 1);
      }),
    ).toContain("a different shape");
    expect(
      each((item, flow) =>
        flow
          .if("i", () => true)
          .cancel(`no ${item.id}`, { name: "c" })
          .endIf(),
      ),
    ).toContain("the options of cancel `c` differ");
    expect(each((item, flow) => flow.sleep(item.n))).toContain("Give a function: (ctx) => ctx.item");
    expect(each((item, flow) => flow.humanInTheLoop({ metadata: { id: item.id } }))).toContain("$.id is a function");
  });

  test("an item that builds another shape at run time is refused", () => {
    const workflow = begin().forEach("each", [{ vip: true }], (item, flow) =>
      item.vip ? flow.step("a", () => 1).step("b", () => 1) : flow.step("a", () => 1),
    );
    const build = workflow.definition.node("a")?.loops[0]?.build;
    expect(build?.({ vip: true }, 0).size).toBe(2);
    expect(refused(() => build?.({ vip: false }, 1))).toContain(
      "Workflow `w`: a body that builds a different shape for each item cannot be recorded: in the body of `each` step `b` is built for one item and not for another",
    );
  });
});

describe("wrong definitions", () => {
  const one = (): number => 1;
  const yes = (): boolean => true;
  const step = (flow: Loose): Loose => flow.step("x", one);
  const cases: [what: string, define: (w: Loose) => unknown, message: string][] = [
    ["endIf without if", (w) => w.endIf(), "Workflow `w`: .endIf() without an open .if(), before number 1"],
    ["else without if", (w) => w.else(), ".else() without an open .if()"],
    ["elseIf without if", (w) => w.elseIf(yes), ".elseIf() without an open .if()"],
    ["else twice", (w) => w.if("i", yes).else().else(), "if `i`, number 1, has .else() twice"],
    ["elseIf after else", (w) => w.if("i", yes).else().elseIf(yes), ".elseIf() after .else() of if `i`"],
    ["an open if", (w) => w.if("i", yes).definition.toMessage(), "if `i`, number 1, is not closed"],
    [
      "an open if in a branch",
      (w) => w.parallel([(flow: Loose) => step(flow).if("i", yes)], { name: "p" }),
      "if `i`, number 3 (in branch 1 of `p`), is not closed",
    ],
    [
      "an endIf in another flow",
      (w) => w.if("i", yes).while("l", yes, (flow: Loose) => step(flow).endIf()),
      ".endIf() in the body of `l` without an open .if()",
    ],
    [
      "one name twice",
      (w) => w.step("x", one).if("i", yes).parallel([one, step], { name: "p" }),
      "Workflow `w` has two steps named `x`: number 1 and number 5 (in branch 2 of `p`). Rename one.",
    ],
    [
      "a bad name",
      (w) => w.step("no spaces", one),
      'step name in workflow `w`, number 1, "no spaces" is not of the form',
    ],
    ["no name", (w) => w.step({ id: "" }, one), '"" is not of the form'],
    ["a bad key", (w) => w.parallel({ "a b": one }), '"parallel-1.a b" is not of the form'],
    ["no handler", (w) => w.step("x"), "step `x`, number 1: its handler is undefined; give a function"],
    ["no condition", (w) => w.if("i", 5), "if `i`, number 1: its condition is 5; give a function"],
    ["no branches", (w) => w.parallel([]), "parallel `parallel-1`, number 1 has no branches"],
    [
      "an empty branch",
      (w) =>
        w.race([
          (flow: Loose) => {
            if (one() > 1) step(flow).step("never", one);
            return one() > 1 ? flow.step("never", one) : flow;
          },
        ]),
      "branch 1 of `race-1` has no steps",
    ],
    ["a race of an object", (w) => w.race({ a: one }), "give a list of branches"],
    ["an empty body", (w) => w.forEach("e", [], (_item: unknown, flow: Loose) => flow), "the body of `e` has no steps"],
    [
      "a body that is no flow",
      (w) => w.forEach("e", [], async (_item: unknown, flow: Loose) => flow),
      "the body of `e` returns a promise",
    ],
    [
      "a body of another flow",
      (w) => w.forEach("e", [], () => step(loose())),
      "the body of `e` returns something else than the flow",
    ],
    [
      "a branch of another flow",
      (w) => w.parallel([(flow: Loose) => flow.step("a", one) && step(loose())], { name: "p" }),
      "branch 1 of `p` returns something else than the flow it was given",
    ],
    ["a flow that is not returned", (w) => w.parallel([(flow: Loose) => { flow.step("x", one); }]), "branch 1 of `parallel-1` returns something else"], // biome-ignore format: one line each
    [
      "a limit of zero",
      (w) => w.while("l", yes, one, { maxIterations: 0 }),
      "while `l`, number 1: `maxIterations` is 0; give a whole number from 1 to 1,000,000",
    ],
    [
      "no concurrency",
      (w) => w.forEach("e", [], (_: unknown, f: Loose) => step(f), { concurrency: -1 }),
      "`concurrency` is -1",
    ],
    ["no size", (w) => w.batch("b", { items: [] }, (_: unknown, f: Loose) => step(f)), "`size` is undefined"],
    ["half a size", (w) => w.batch("b", { items: [], size: 1.5 }, (_: unknown, f: Loose) => step(f)), "`size` is 1.5"],
    [
      "a bad duration",
      (w) => w.sleep("soon"),
      'Workflow `w`, .sleep(), number 1: `duration`: "soon" is not a duration',
    ],
    ["a bad moment", (w) => w.sleepUntil("soon"), '"soon" is not a moment'],
    ["no event", (w) => w.waitForEvent(""), 'the event is ""; give a text'],
    ["no workflow", (w) => w.subflow("s"), "give the id of a workflow"],
    ["a reason that is no text", (w) => w.cancel(5), "the reason is 5"],
    ["an option without a step", (w) => w.retry({}), ".retry() follows a step, and there is none yet"],
    [
      "an option after else",
      (w) => w.if("i", yes).else().timeout(5),
      ".timeout() follows a step, and there is none yet in else of `i`",
    ],
    [
      "a timeout of a block",
      (w) => w.parallel([one]).timeout("1s"),
      "parallel `parallel-1`, number 1: timeout is for step and action only",
    ],
    ["a cache of an action", (w) => w.action("a", one, { cache: { key: one, ttl: 5 } }), "cache is for step only"],
    ["a retry of a block", (w) => w.race([one]).retry({}), "calls no function that could be tried again"],
    ["a retry after endIf", (w) => w.if("i", yes).endIf().retry({}), ".retry() of an if stands right after its .if()"],
    ["onError before endIf", (w) => w.if("i", yes).onError(one), "stands after its .endIf()"],
    ["onError of what cannot fail", (w) => w.sleep(5).onError(one), "cannot fail"],
    ["no attempts", (w) => step(w).retry({ attempts: 0 }), "step `x`, number 1: `attempts` is 0"],
    ["an unknown strategy", (w) => step(w).retry({ backoff: { strategy: "random" } }), '`strategy` is "random"'],
    ["too much jitter", (w) => step(w).retry({ backoff: { jitter: 2 } }), "`jitter` is 2"],
    ["a breaker without failures", (w) => step(w).circuitBreaker({ failureThreshold: 0 }), "`failureThreshold` is 0"],
  ];
  test.each(cases)("%s", (_what, define, message) => {
    expect(refused(() => define(loose()))).toContain(message);
  });

  test.each<[Partial<WorkflowOptions>, string]>([
    [{ concurrency: 0 }, "Workflow `w`: `concurrency` is 0; give a whole number from 1"],
    [{ concurrency: { limit: 1.5 } }, "`concurrency` is 1.5"],
    [{ rateLimit: { count: 0, per: "1s" } }, "`rateLimit.count` is 0"],
    [{ rateLimit: { count: 1, per: 0 } }, "`rateLimit.per` is 0; give at least 1 ms"],
    [{ queue: "a b" }, '"a b" is not of the form'],
    [{ queue: { name: "q", concurrency: 0 } }, "`queue.concurrency` is 0"],
    [{ priority: 101 }, "`priority` is 101; give a whole number from -100 to 100"],
    [{ retention: "long" }, '`retention`: "long" is not a duration'],
    [{ retry: { attempts: -1 } }, "`attempts` is -1"],
  ])("%p", (options, message) => {
    expect(refused(() => begin(options))).toContain(message);
  });

  test("more than 32 blocks in each other", () => {
    const nested = (depth: number): Loose => {
      let workflow = loose();
      for (let level = 0; level < depth; level += 1) workflow = workflow.if(yes);
      return workflow.step("x", one);
    };
    expect(() => nested(32)).not.toThrow();
    expect(refused(() => nested(33))).toContain("is nested deeper than 32 blocks");
  });

  test("more than 1,000 nodes", () => {
    const workflow = loose();
    for (let node = 0; node < 1_000; node += 1) workflow.step(`s${node}`, one);
    expect(refused(() => workflow.step("more", one))).toContain("has more than 1,000 nodes: `more` is one too many");
  });
});
