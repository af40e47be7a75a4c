/** Which webhook a request is for does not depend on which was defined first. */
import { expect, test } from "bun:test";
import { type Cronflow, github, type WebhookOptions } from "cronflow-ffi";
import { Hono } from "hono";
import { testEngine } from "../testing/engines.ts";

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
