import { expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Hono } from "hono";
import { deviation, managed, TOKEN } from "./managed.testing.ts";
import { openApi, refusals } from "./openapi.ts";
import { ROUTES } from "./table.ts";

const DOCUMENT = JSON.parse(JSON.stringify(openApi(ROUTES)));

test("the document is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  expect(await validator.validate(DOCUMENT)).toEqual({ valid: true });
  expect(validator.version).toBe("3.1");
});

test("the document has every route, each with an id of its own and every parameter", () => {
  const operations = Object.values(DOCUMENT.paths as Record<string, Record<string, { operationId: string }>>);
  const ids = operations.flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
  expect(ids.sort()).toEqual(ROUTES.map(({ operationId }) => operationId).sort());
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, params } of ROUTES) {
    expect([...path.matchAll(/:(\w+)/g)].map(([, name]) => name)).toEqual(Object.keys(params));
  }
});

test("the document is served, and its server is right wherever it is mounted", async () => {
  const { engine, call } = await managed();
  expect((await call("GET", "/openapi.json")).body).toEqual(DOCUMENT);
  const mounted = new Hono()
    .route("/inside", engine.routes())
    .route("/of/:tenant", engine.routes())
    // The prefix is taken off, as Express and Elysia do: cronflow does not see it.
    .mount("/hidden", (request: Request) => engine.fetch(request));
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (const base of ["/inside", "/of/a%20b", "/hidden"]) {
    const address = `http://localhost${base}/cronflow/openapi.json`;
    const { servers, paths } = (await (await mounted.request(address, { headers })).json()) as typeof DOCUMENT;
    // As generated clients do it: the server's address is resolved, and paths are put behind it.
    const server = new URL(servers[0].url, address).href;
    expect(server).toBe(`http://localhost${base}/cronflow`);
    expect(Object.keys(paths)).toContain("/runs");
    expect((await mounted.request(`${server}/runs`, { headers })).status).toBe(200);
  }
});

test("answers that are not in the document are found", () => {
  const run = { runId: "run_1" };
  expect(deviation("POST", "/runs/x/retry", { status: 200, body: run })).toBeUndefined();
  expect(deviation("POST", "/runs/x/retry", { status: 200, body: { ...run, more: 1 } })).toContain("additional");
  expect(deviation("POST", "/runs/x/retry", { status: 200, body: {} })).toContain("runId");
  expect(deviation("POST", "/runs/x/retry", { status: 204, body: run })).toContain("not documented");
  expect(deviation("GET", "/nothing", { status: 404, body: { error: "x" } })).toContain("object");
});

test("what a route may refuse with is in order, and has bodies' refusals only where there is a body", () => {
  const of = (operationId: string): number[] =>
    ROUTES.filter((route) => route.operationId === operationId).flatMap(refusals);
  expect(of("listRuns")).toEqual([400, 401, 403, 500, 503]);
  expect(of("cancelRun")).toEqual([400, 401, 403, 404, 408, 409, 413, 415, 500, 503]);
});
