import { expect, test } from "bun:test";
import type { MiddlewareHandler } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { answerOf, recordingLog, request, serving } from "./webhook.testing.ts";

async function send(
  middleware: readonly MiddlewareHandler[],
  options: WebhookOptions = {},
  sent = request("/w"),
  requestTimeout = 30_000,
) {
  const { log, lines } = recordingLog();
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", { ...options, middleware })
        .step("x", () => 7),
    { log, requestTimeout },
  );
  const seen = await answerOf(engine.fetch(sent));
  return { ...seen, lines, runs: (await engine.list()).runs };
}

test("layers are one inside the other, and see the answer", async () => {
  const order: string[] = [];
  const layer =
    (name: string): MiddlewareHandler =>
    async (context, next) => {
      order.push(`${name} before`);
      context.header(`x-${name}-before`, "1");
      await next();
      order.push(`${name} after ${context.res.status}`);
      context.header(`x-${name}-after`, "1");
    };
  const { status, headers, runs } = await send([layer("a"), layer("b")]);
  expect([status, runs.length]).toEqual([202, 1]);
  expect(order).toEqual(["a before", "b before", "b after 202", "a after 202"]);
  for (const name of ["x-a-before", "x-b-before", "x-a-after", "x-b-after"]) expect(headers.get(name)).toBe("1");
});

test("a layer may answer itself, before anything is looked at", async () => {
  const sent = request("/w", "{", { "content-type": "text/plain" });
  const { status, body, runs } = await send([async (context) => context.json({ own: true }, 418)], {}, sent);
  expect([status, body, runs]).toEqual([418, { own: true }, []]);
});

test("what Hono's middleware throws is its answer", async () => {
  const response = await send([bearerAuth({ token: "t" })], {}, request("/w", {}, { authorization: "Bearer t" }));
  expect(response.status).toBe(202);
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { middleware: [bearerAuth({ token: "t" })] })
      .step("x", () => {}),
  );
  const refused = await engine.fetch(request("/w"));
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, expect.stringContaining("Bearer")]);
});

test.each<[string, MiddlewareHandler]>([
  ["throws", () => Promise.reject(new Error("secret"))],
  ["throws what is no error", () => Promise.reject("secret")],
  ["neither answers nor calls next()", async () => {}],
])("a layer that %s before is a 500, and nothing is started", async (_what, layer) => {
  const { status, body, runs, lines } = await send([layer]);
  expect([status, runs]).toEqual([500, []]);
  expect(body).toMatchObject({ error: { code: "internal_error" } });
  expect(lines.join()).toContain("POST /w failed");
});

test.each<[string, MiddlewareHandler]>([
  [
    "throws",
    async (_context, next) => {
      await next();
      throw new Error("too late");
    },
  ],
  [
    "throws what is no error",
    async (_context, next) => {
      await next();
      throw "too late";
    },
  ],
  [
    "reads the answer and throws",
    async (context, next) => {
      await next();
      await context.res.text();
      throw new Error("too late");
    },
  ],
  [
    "throws while the run is being started",
    async (_context, next) => {
      void next();
      throw new Error("too early");
    },
  ],
  [
    "does not wait for next()",
    async (_context, next) => {
      void next();
    },
  ],
  [
    "calls next() twice",
    async (_context, next) => {
      await next();
      await next();
    },
  ],
])("once the run is started, a layer that %s changes nothing of the answer", async (_what, layer) => {
  const accepted = await send([layer]);
  expect(accepted.status).toBe(202);
  expect(accepted.body).toEqual({ runId: accepted.runs[0]?.runId });
  expect(accepted.lines.join()).toContain("a middleware of POST /w failed");
  const result = await send([layer], { respond: "result" });
  expect([result.status, result.body]).toEqual([200, 7]);
});

test("a layer that hangs after the run was started is not waited for", async () => {
  const layer: MiddlewareHandler = async (_context, next) => {
    await next();
    await new Promise(() => {});
  };
  const { status, body, runs } = await send([layer], {}, request("/w"), 200);
  expect([status, body]).toEqual([202, { runId: runs[0]?.runId }]);
});

test("a refusal inside is seen by the layers, and stays when one of them fails", async () => {
  const statuses: number[] = [];
  const layer: MiddlewareHandler = async (context, next) => {
    await next();
    statuses.push(context.res.status);
    throw new Error("too late");
  };
  const { status } = await send([layer], {}, request("/w", "{"));
  expect([status, statuses]).toEqual([400, [400]]);
});
