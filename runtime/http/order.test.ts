/** Which webhook a request is for does not depend on which was defined first. */
import { expect, test } from "bun:test";
import { type Cronflow, github, type WebhookOptions } from "cronflow-ffi";
import { Hono } from "hono";
import { bySpecificity, type PathPattern, pathPatterns, relation } from "../definition/webhook-path.ts";
import type { Definition, WebhookTrigger } from "../definition.ts";
import { testEngine } from "../testing/engines.ts";
import { webhooksInOrder } from "./order.ts";
import { Patterns } from "./patterns.ts";

interface Hook {
  readonly path: `/${string}`;
  readonly options?: WebhookOptions;
}

/** One workflow for each, called by its method and path. */
async function serving(hooks: readonly Hook[]): Promise<Cronflow> {
  const engine = testEngine();
  for (const [index, { path, options = {} }] of hooks.entries()) {
    engine
      .define({ id: `w${index}`, name: nameOf({ path, options }) })
      .onWebhook(path, options)
      .step("params", ({ trigger }) => ({ name: nameOf({ path, options }), params: trigger.params }));
  }
  await engine.start();
  return engine;
}

const nameOf = ({ path, options }: Hook): string => `${options?.method ?? "POST"} ${path}`;

type Serve = (request: Request) => Response | Promise<Response>;

/** What the run says that a request has started, or the status of the refusal. */
async function started(engine: Cronflow, serve: Serve, method: string, path: string): Promise<unknown> {
  const response = await serve(new Request(`http://localhost${path}`, { method }));
  if (response.status !== 202) return response.status;
  return engine.result(((await response.json()) as { runId: string }).runId);
}

/** All orders of a few. */
function* permutations<Item>(items: readonly Item[]): Iterable<readonly Item[]> {
  if (items.length === 0) yield [];
  for (const [index, first] of items.entries()) {
    for (const others of permutations(items.toSpliced(index, 1))) yield [first, ...others];
  }
}

const HOOKS: readonly Hook[] = [
  { path: "/hooks/*" },
  { path: "/hooks/:name" },
  { path: "/hooks/:id{[0-9]+}" },
  { path: "/hooks/github" },
  { path: "/hooks/stripe", options: { method: "PUT" } },
];

const EXPECTED: readonly [string, string, unknown][] = [
  ["POST", "/hooks/github", { name: "POST /hooks/github", params: {} }],
  ["POST", "/hooks/17", { name: "POST /hooks/:id{[0-9]+}", params: { id: "17" } }],
  ["POST", "/hooks/slack", { name: "POST /hooks/:name", params: { name: "slack" } }],
  ["POST", "/hooks/a/b", { name: "POST /hooks/*", params: {} }],
  ["POST", "/hooks", { name: "POST /hooks/*", params: {} }],
  ["PUT", "/hooks/stripe", { name: "PUT /hooks/stripe", params: {} }],
  // Another method of the more specific path is not in the way.
  ["POST", "/hooks/stripe", { name: "POST /hooks/:name", params: { name: "stripe" } }],
  ["PUT", "/hooks/github", 405],
  ["DELETE", "/hooks/stripe", 405],
];

test("texts come before parameters, parameters before `*`, in whatever order they are defined", async () => {
  for (const hooks of permutations(HOOKS)) {
    const engine = await serving(hooks);
    const app = new Hono().route("/flows", engine.routes());
    for (const [method, path, expected] of EXPECTED) {
      expect([path, await started(engine, engine.fetch, method, path)]).toEqual([path, expected]);
    }
    const [method, path, expected] = EXPECTED[6] as (typeof EXPECTED)[number];
    expect(await started(engine, app.fetch, method, `/flows${path}`)).toEqual(expected);
    await engine.stop();
  }
});

test("a webhook that asks for a signature is not answered by one that does not", async () => {
  const verify = github({ secret: "a secret of GitHub's" });
  const signed = { path: "/hooks/github", options: { verify } } as const;
  for (const hooks of permutations([{ path: "/hooks/:name" } as const, { path: "/*" } as const, signed])) {
    const engine = await serving(hooks);
    expect(await started(engine, engine.fetch, "POST", "/hooks/github")).toBe(401);
    expect((await engine.list()).runs).toEqual([]);
    await engine.stop();
  }
});

test("405 names every method that the path may be asked with", async () => {
  for (const hooks of permutations(HOOKS)) {
    const engine = await serving(hooks);
    const allowed = async (path: string): Promise<string | null> =>
      (await engine.fetch(new Request(`http://localhost${path}`))).headers.get("allow");
    expect([await allowed("/hooks/stripe"), await allowed("/hooks/github")]).toEqual(["PUT, POST", "POST"]);
    await engine.stop();
  }
});

test("a request that goes on to a wider path waits for one answer only", async () => {
  const engine = testEngine({ maxPendingRequests: 1 });
  engine
    .define({ id: "put" })
    .onWebhook("/in/a", { method: "PUT" })
    .step("x", () => 1);
  engine
    .define({ id: "post" })
    .onWebhook("/in/:x")
    .step("x", () => 1);
  await engine.start();
  const { status } = await engine.fetch(new Request("http://localhost/in/a", { method: "POST" }));
  expect(status).toBe(202);
});

test("paths of which none is the more specific are fine with different methods", async () => {
  for (const hooks of permutations([
    { path: "/a/:x/c" },
    { path: "/a/b/:y", options: { method: "PUT" } },
  ] as readonly Hook[])) {
    const engine = await serving(hooks);
    expect(await started(engine, engine.fetch, "POST", "/a/b/c")).toEqual({ name: "POST /a/:x/c", params: { x: "b" } });
    expect(await started(engine, engine.fetch, "PUT", "/a/b/c")).toEqual({ name: "PUT /a/b/:y", params: { y: "c" } });
    await engine.stop();
  }
});

test("a parameter at the end may be left out", async () => {
  const engine = await serving([{ path: "/in/:x?" }, { path: "/:y" }, { path: "/in/a" }]);
  const name = "POST /in/:x?";
  expect(await started(engine, engine.fetch, "POST", "/in")).toEqual({ name, params: {} });
  expect(await started(engine, engine.fetch, "POST", "/in/b")).toEqual({ name, params: { x: "b" } });
  expect(await started(engine, engine.fetch, "POST", "/in/a")).toEqual({ name: "POST /in/a", params: {} });
});

test("a workflow of which one webhook is above another has both", async () => {
  const engine = testEngine();
  engine
    .define({ id: "w" })
    .onWebhook("/:x")
    .onWebhook("/in", { method: "PUT" })
    .step("x", () => 1);
  await engine.start();
  const status = async (method: string): Promise<number> =>
    (await engine.fetch(new Request("http://localhost/in", { method }))).status;
  expect([await status("POST"), await status("PUT"), await status("PATCH")]).toEqual([202, 202, 405]);
});

/** As it was written first: each webhook is compared with all before it. */
function comparedWithAll(definitions: readonly Definition[]): readonly string[] {
  const places: { readonly id: string; readonly method: string; readonly pattern: PathPattern }[] = [];
  for (const { id, triggers } of definitions) {
    for (const trigger of triggers as readonly WebhookTrigger[]) {
      const method = trigger.options.method ?? "POST";
      for (const pattern of pathPatterns(id, trigger.path)) {
        for (const other of places) {
          const found = other.method === method ? relation(pattern, other.pattern) : "disjoint";
          if (found !== "same" && found !== "unclear") continue;
          return [found, `Workflow \`${id}\`: the webhook ${method} ${pattern.path} `, `of workflow \`${other.id}\``];
        }
        places.push({ id, method, pattern });
      }
    }
  }
  places.sort((one, other) => bySpecificity(one.pattern, other.pattern));
  return places.map(({ id, method, pattern }) => `${id} ${method} ${pattern.path}`);
}

/** The same of what is tested: the order, or what the refusal says. */
function inOrder(definitions: readonly Definition[], expected: readonly string[]): readonly string[] {
  try {
    const webhooks = webhooksInOrder(definitions);
    return webhooks.map(
      ({ workflowId, trigger: { path, options } }) => `${workflowId} ${options.method ?? "POST"} ${path}`,
    );
  } catch (error) {
    const { message } = error as Error;
    const kind = message.includes("is also that of")
      ? "same"
      : message.includes("may match the same request")
        ? "unclear"
        : "";
    return [kind, ...expected.slice(1).filter((part) => message.includes(part))];
  }
}

const PARTS = ["a", "b", "c", "d", "7", "", ":x", ":y", "*", ":x{[0-9]+}", ":y{[a-c]}", ":z{[^/]*/.*}"];

/** Some webhooks whose paths have few different parts; those that are not allowed are left out. */
function randomDefinitions(random: () => number): readonly Definition[] {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  const literals = random() < 0.5 ? Array.from({ length: 20 }, (_, index) => `t${index}`) : [];
  const path = (): string => {
    const parts = Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick([...PARTS, ...literals]));
    const isOptional = random() < 0.1 && parts.at(-1)?.startsWith(":");
    return `/${parts.join("/")}${isOptional ? "?" : ""}`;
  };
  const paths = Array.from({ length: 2 + Math.floor(random() * 12) }, path).filter((path) => {
    try {
      return pathPatterns("w", path).length > 0;
    } catch {
      return false;
    }
  });
  return paths.map((path, index) => {
    const options: WebhookOptions = random() < 0.3 ? { method: "PUT" } : {};
    return { id: `w${index}`, triggers: [{ type: "webhook", path, options }] } as unknown as Definition;
  });
}

test("the order and what is refused are those of comparing each webhook with all the others", () => {
  const seen = { order: 0, same: 0, unclear: 0 };
  for (let seed = 1; seed <= 6_000; seed += 1) {
    const definitions = randomDefinitions(randomOf(seed));
    const expected = comparedWithAll(definitions);
    expect({ seed, found: inOrder(definitions, expected) }).toEqual({ seed, found: expected });
    const [kind] = expected;
    seen[kind === "same" || kind === "unclear" ? kind : "order"] += 1;
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(300);
});

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How often paths are looked at until all of so many are compared. */
function looksAt(paths: readonly string[]): number {
  let looks = 0;
  const patterns = new Patterns<string>();
  for (const path of paths) {
    for (const pattern of pathPatterns("w", path)) {
      const counted: PathPattern = {
        path: pattern.path,
        get segments() {
          looks += 1;
          return pattern.segments;
        },
      };
      expect(patterns.firstInTheWayOf(counted)).toBeUndefined();
      patterns.add(counted, path);
    }
  }
  return looks;
}

test.each([
  ["texts", (n: number) => [`/w${n}`]],
  ["texts below a parameter", (n: number) => [`/:tenant/w${n}`]],
  ["shorter and longer ones", (n: number) => [`/w${n}`, `/:tenant/w${n}`]],
  ["parameters below texts", (n: number) => [`/w${n}/:id`, `/w${n}/:id{[0-9]+}`, `/w${n}/*`]],
  ["texts, and texts below a parameter", (n: number) => [`/v${n}/w`, `/:tenant{[0-9]+}/w${n}`]],
  ["parameters that may be left out", (n: number) => [`/w${n}/:year?/:month?`, `/a/b/c/w${n}`]],
  ["a pattern for each", (n: number) => [`/w${n}/:id{w${n}-[0-9]+}`, `/w${n}/w${n}-7`]],
])("ten times as many webhooks are looked at ten times as often: %s", (_, pathsOf) => {
  const looks = (count: number): number => looksAt(Array.from({ length: count }, (_, n) => pathsOf(n)).flat());
  expect(looks(1_000)).toBeLessThan(11 * looks(100));
});
