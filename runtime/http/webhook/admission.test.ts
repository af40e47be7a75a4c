import { expect, test } from "bun:test";
import { answerOf, request, serving } from "./webhook.testing.ts";

test("more requests than may wait are refused, until others have been answered", async () => {
  const waiting: (() => void)[] = [];
  const { promise: bothWait, resolve } = Promise.withResolvers<void>();
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", {
          validate(payload) {
            if (payload !== "wait") return true;
            const verdict = Promise.withResolvers<boolean>();
            if (waiting.push(() => verdict.resolve(true)) === 2) resolve();
            return verdict.promise;
          },
        })
        .step("x", () => {}),
    { maxPendingRequests: 2 },
  );
  const held = [engine.fetch(request("/w", '"wait"')), engine.fetch(request("/w", '"wait"'))];
  const refused = await answerOf(engine.fetch(request("/w")));
  expect(refused).toMatchObject({
    status: 503,
    body: { error: { code: "too_many_requests_pending", message: "Too many requests wait; send it again." } },
  });
  expect(refused.headers.get("retry-after")).toBe("1");
  // It is looked for first of all.
  expect((await engine.fetch(request("/w", {}, {}, "PUT"))).status).toBe(503);
  await bothWait;
  for (const go of waiting) go();
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([202, 202]);
  expect((await engine.fetch(request("/w"))).status).toBe(202);
});

test("each way out makes room", async () => {
  const engine = await serving(
    (engine) => {
      engine
        .define({ id: "w" })
        .onWebhook("/w", {
          maxBodyBytes: 50,
          condition: (payload) => payload !== "skip",
          validate: (payload) => (payload === "hang" ? new Promise<boolean>(() => {}) : payload !== "wrong"),
          idempotencyKey: (request) => request.headers.get("x-key"),
          verify: (_raw, request) => request.headers.get("x-forged") === null,
        })
        .step("x", () => {});
      engine
        .define({ id: "fails" })
        .onWebhook("/fails", { middleware: [() => Promise.reject(new Error("no"))] })
        .step("x", () => {});
      engine
        .define({ id: "result" })
        .onWebhook("/result", { respond: "result", timeout: 1 })
        .step("x", () => new Promise(() => {}));
    },
    { maxPendingRequests: 1, requestTimeout: 20 },
  );
  const ways: [Request, number][] = [
    [request("/w", {}, { "x-key": "k" }), 202],
    [request("/w", {}, { "x-key": "k" }), 200],
    [request("/w", { a: 1 }, { "x-key": "k" }), 409],
    [request("/w", '"skip"'), 200],
    [request("/w", '"wrong"'), 400],
    [request("/w", '"hang"'), 408],
    [request("/w", {}, { "x-forged": "1" }), 401],
    [request("/w", {}, {}, "GET"), 405],
    [request("/w", "x".repeat(51)), 413],
    [request("/w", {}, { "content-type": "text/html" }), 415],
    [request("/fails"), 500],
    [request("/result"), 504],
  ];
  for (const [sent, status] of ways) expect((await engine.fetch(sent)).status).toBe(status);
  await engine.stop({ timeout: 0 });
  for (let count = 0; count < 2; count += 1) {
    expect(await answerOf(engine.fetch(request("/w")))).toMatchObject({
      status: 503,
      body: { error: { code: "closed" } },
    });
  }
});
