import { expect, test } from "bun:test";
import type { Cronflow } from "cronflow-ffi";
import { z } from "zod";
import { testEngine } from "../testing/engines.ts";

const schema = z.object({ amount: z.number() });

async function serve(define: (engine: Cronflow) => void): Promise<Cronflow> {
  const engine = testEngine();
  define(engine);
  await engine.start();
  return engine;
}

function request(path: string, body: unknown, headers: Record<string, string> = {}, method = "POST"): Request {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return new Request(`http://localhost${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method !== "GET" && { body: text }),
  });
}

const orders = (engine: Cronflow): void => {
  engine
    .define({ id: "orders" })
    .onWebhook("/orders", { schema, idempotencyKey: (req) => req.headers.get("x-key"), maxBodyBytes: 100 })
    .step("double", (ctx) => ctx.payload.amount * 2);
};

test("answers 202 and the run's id after the commit, and records what triggered it", async () => {
  const engine = await serve(orders);
  const response = await engine.fetch(
    request("/orders", { amount: 2 }, { authorization: "secret", "x-source": "test" }),
  );
  expect(response.status).toBe(202);
  const { runId } = (await response.json()) as { runId: string };
  expect(await engine.result(runId)).toBe(4);
  const { trigger } = await engine.inspect(runId);
  expect(trigger).toMatchObject({ type: "webhook", method: "POST", path: "/orders", headers: { "x-source": "test" } });
  expect(JSON.stringify(trigger)).not.toContain("secret");
});

test("answers a repeated idempotency key with 200 and the same run, 409 when the body differs", async () => {
  const engine = await serve(orders);
  const send = (amount: number): Response | Promise<Response> =>
    engine.fetch(request("/orders", { amount }, { "x-key": "k" }));
  const [first, again, other] = [await send(1), await send(1), await send(2)];
  expect([first.status, again.status, other.status]).toEqual([202, 200, 409]);
  expect(await again.json()).toEqual(await first.json());
  expect(await other.json()).toMatchObject({ error: { code: "idempotency_conflict" } });
});

test.each<[string, Request, number, object]>([
  [
    "a body of the wrong shape",
    request("/orders", { amount: "x" }),
    400,
    { error: { code: "payload_invalid", issues: [{ path: "$.amount" }] } },
  ],
  [
    "a body that is not JSON",
    request("/orders", "{"),
    400,
    { error: { issues: [{ path: "$", message: "not JSON" }] } },
  ],
  ["another method", request("/orders", {}, {}, "GET"), 405, { error: { code: "method_not_allowed" } }],
  [
    "a body that is too large",
    request("/orders", { amount: 1, pad: "x".repeat(200) }),
    413,
    { error: { code: "body_too_large" } },
  ],
  [
    "another content type",
    request("/orders", {}, { "content-type": "text/plain" }),
    415,
    { error: { code: "unsupported_media_type" } },
  ],
  ["another path", request("/nothing", {}), 404, { error: { code: "not_found" } }],
])("refuses %s, and starts nothing", async (_what, sent, status, body) => {
  const engine = await serve(orders);
  const response = await engine.fetch(sent);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject(body);
  expect((await engine.list()).runs).toEqual([]);
});

test("a body in pieces is cut off at the limit, too", async () => {
  const engine = await serve(orders);
  const piece = new TextEncoder().encode("x".repeat(60));
  let pieces = 0;
  const body = new ReadableStream({
    pull(controller) {
      pieces += 1;
      controller.enqueue(piece);
    },
  });
  const response = await engine.fetch(new Request("http://localhost/orders", { method: "POST", body }));
  expect(response.status).toBe(413);
  expect(pieces).toBeLessThan(10);
});

test('respond: "result" answers with the output, the failure, or 504 and the run\'s id', async () => {
  const engine = await serve((engine) => {
    const options = { respond: "result", timeout: 30 } as const;
    engine
      .define({ id: "quick" })
      .onWebhook("/quick", { ...options, timeout: "10s" })
      .step("x", () => ({ ok: true }));
    engine
      .define({ id: "fails" })
      .onWebhook("/fails", { ...options, timeout: "10s" })
      .step("x", () => Promise.reject(new Error("no")));
    engine
      .define({ id: "slow" })
      .onWebhook("/slow", options)
      .step("x", () => new Promise(() => {}));
  });
  const quick = await engine.fetch(request("/quick", {}));
  expect([quick.status, await quick.json()]).toEqual([200, { ok: true }]);
  const fails = await engine.fetch(request("/fails", {}));
  expect(fails.status).toBe(500);
  const failure = await fails.text();
  expect(failure).toContain('"message":"no"');
  expect(failure).not.toContain("stack");
  const slow = await engine.fetch(request("/slow", {}));
  expect([slow.status, await slow.json()]).toMatchObject([504, { runId: expect.stringMatching(/^run_/) }]);
});

test("answers 503 with Retry-After when the engine is stopped", async () => {
  const engine = await serve(orders);
  await engine.stop();
  const response = await engine.fetch(request("/orders", { amount: 1 }));
  expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await engine.fetch(request("/health", {}, {}, "GET"))).status).toBe(503);
});

test("serves on a port, and under a prefix of another Hono app", async () => {
  const { Hono } = await import("hono");
  const engine = testEngine();
  orders(engine);
  await engine.start({ port: 0, hostname: "127.0.0.1" });
  expect(await (await fetch(new URL("/health", engine.url))).json()).toEqual({ status: "ok" });
  const app = new Hono().route("/flows", engine.routes());
  expect((await app.fetch(request("/flows/orders", { amount: 1 }))).status).toBe(202);
});
