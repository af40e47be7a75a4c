import { expect, test } from "bun:test";
import { z } from "zod";
import type { Verified } from "../verify/verifier.ts";
import { answerOf, request, serving } from "./webhook.testing.ts";

test("answers 202 and the run's id after the commit", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { schema: z.object({ amount: z.coerce.number() }) })
      .step("double", (ctx) => ctx.payload.amount * 2),
  );
  const { status, body } = await answerOf(engine.fetch(request("/w", { amount: "2" })));
  expect([status, body]).toEqual([202, { runId: expect.stringMatching(/^run_/) }]);
  expect(await engine.result((body as { runId: string }).runId)).toBe(4);
});

test("a thousand requests with one key start one run", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { idempotencyKey: (request) => request.headers.get("x-key") })
      .step("x", () => {}),
  );
  const seen = await Promise.all(
    Array.from({ length: 1_000 }, () => answerOf(engine.fetch(request("/w", { a: 1 }, { "x-key": "k" })))),
  );
  expect(seen.filter(({ status }) => status === 202)).toHaveLength(1);
  expect(seen.filter(({ status }) => status === 200)).toHaveLength(999);
  expect(new Set(seen.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  expect((await engine.list()).runs).toHaveLength(1);
});

test("the key may be in the payload; with another body it is a conflict, without one there is none", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", {
        schema: z.object({ id: z.string().nullable(), n: z.number() }),
        idempotencyKey: (_request, payload) => payload.id,
      })
      .step("x", () => {}),
  );
  const send = (body: object) => answerOf(engine.fetch(request("/w", body)));
  expect((await send({ id: "a", n: 1 })).status).toBe(202);
  expect((await send({ id: "a", n: 1 })).status).toBe(200);
  expect(await send({ id: "a", n: 2 })).toMatchObject({
    status: 409,
    body: { error: { code: "idempotency_conflict" } },
  });
  expect((await send({ id: null, n: 1 })).status).toBe(202);
  expect((await send({ id: null, n: 1 })).status).toBe(202);
});

const verifier = (verified: Verified) => (): Verified => verified;

test("a message that is delivered again finds the first run, with another body it is a conflict", async () => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "w" })
      .onWebhook("/w", { verify: verifier({ ok: true, deliveryId: "m1", ttl: "30d" }) })
      .step("x", () => {});
    engine
      .define({ id: "long" })
      .onWebhook("/long", { verify: verifier({ ok: true, deliveryId: "ü".repeat(300) }) })
      .step("x", () => {});
  });
  for (const path of ["/w", "/long"]) {
    const [first, again, other] = [
      await answerOf(engine.fetch(request(path, { n: 1 }))),
      await answerOf(engine.fetch(request(path, { n: 1 }))),
      await answerOf(engine.fetch(request(path, { n: 2 }))),
    ];
    expect([first.status, again.status]).toEqual([202, 200]);
    expect(again.body).toEqual(first.body);
    expect(other).toMatchObject({ status: 409, body: { error: { code: "delivery_conflict" } } });
  }
});

test("a message without a name starts a run each time", async () => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "w" })
      .onWebhook("/w", { verify: () => true })
      .step("x", () => {});
  });
  expect((await engine.fetch(request("/w"))).status).toBe(202);
  expect((await engine.fetch(request("/w"))).status).toBe(202);
});

test("each method of a path is a webhook of its own", async () => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "post" })
      .onWebhook("/w/:id")
      .step("x", () => {});
    engine
      .define({ id: "delete" })
      .onWebhook("/w/:id", { method: "DELETE" })
      .step("x", () => {});
  });
  for (const method of ["POST", "DELETE"]) {
    const { body } = await answerOf(engine.fetch(request("/w/1", {}, {}, method)));
    const { workflowId, trigger } = await engine.inspect((body as { runId: string }).runId);
    expect([workflowId, trigger.method]).toEqual([method.toLowerCase(), method]);
  }
});

test("serves under a prefix of another Hono app, whose headers stay", async () => {
  const { Hono } = await import("hono");
  const engine = await serving((engine) => {
    engine
      .define({ id: "w" })
      .onWebhook("/w")
      .step("x", () => {});
  });
  const app = new Hono();
  app.use(async (context, next) => {
    context.header("x-outer", "yes");
    await next();
  });
  app.route("/flows", engine.routes());
  const seen = await answerOf(app.fetch(request("/flows/w")));
  expect([seen.status, seen.headers.get("x-outer")]).toEqual([202, "yes"]);
  expect((await app.fetch(request("/flows/w", {}, {}, "PUT"))).status).toBe(405);
});
