import { expect, test } from "bun:test";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { Deadlines } from "./deadlines.ts";
import { answerOf, request, serving } from "./webhook.testing.ts";

test("deadlines expire in order, and not after they were closed", async () => {
  const expired: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const deadlines = new Deadlines(() => 5);
  const first = deadlines.open(() => expired.push("first"));
  deadlines.open(() => expired.push("second"));
  deadlines.open(() => {
    expired.push("third");
    resolve();
  });
  deadlines.close(first);
  deadlines.close(first);
  await promise;
  expect(expired).toEqual(["second", "third"]);
});

test("one timer serves those that come later", async () => {
  const deadlines = new Deadlines(() => 10);
  deadlines.close(deadlines.open(() => {}));
  const openedMs = performance.now();
  const { promise, resolve } = Promise.withResolvers<number>();
  deadlines.open(() => resolve(performance.now() - openedMs));
  expect(await promise).toBeGreaterThanOrEqual(10);
});

test("a deadline without end does not expire at once", () => {
  const deadlines = new Deadlines(() => 2 ** 40);
  let isExpired = false;
  const open = deadlines.open(() => {
    isExpired = true;
  });
  deadlines.close(open);
  expect(isExpired).toBe(false);
});

const never = new Promise<never>(() => {});
const late = { error: { code: "request_timeout", message: "The request was not complete in time." } };

test.each<[string, WebhookOptions]>([
  ["the schema", { schema: { "~standard": { version: 1, vendor: "test", validate: () => never } } }],
  ["validate", { validate: () => never }],
  ["the condition", { condition: () => never }],
  ["the verifier", { verify: () => never }],
  ["parseRawBody", { parseRawBody: () => never }],
  ["a middleware", { middleware: [() => never] }],
])("answers 408 when %s hangs", async (_what, options) => {
  const told: unknown[] = [];
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", { ...options, onError: (error) => told.push(error) })
        .step("x", () => {}),
    { requestTimeout: 5 },
  );
  const seen = await answerOf(engine.fetch(request("/w")));
  expect([seen.status, seen.body, seen.headers.get("connection")]).toEqual([408, late, "close"]);
  expect(told).toMatchObject([{ status: 408, code: "request_timeout" }]);
});

test("what comes after the time was over starts nothing", async () => {
  const { promise: verdict, resolve: decide } = Promise.withResolvers<boolean>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", {
          validate: () => verdict,
          idempotencyKey() {
            ask();
            return null;
          },
        })
        .step("x", () => {}),
    { requestTimeout: 200 },
  );
  expect((await engine.fetch(request("/w"))).status).toBe(408);
  decide(true);
  await asked;
  // What would have been started is before this one.
  expect((await engine.fetch(request("/w"))).status).toBe(202);
  expect((await engine.list()).runs).toHaveLength(1);
});

test("a body that does not come is not waited for, and cancelled", async () => {
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w")
        .step("x", () => {}),
    { requestTimeout: 5 },
  );
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream({ pull: () => never, cancel: () => resolve() });
  expect((await engine.fetch(request("/w", body))).status).toBe(408);
  await cancelled;
});

test("the time for a result is not the time for the request", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", { respond: "result", timeout: "10s" })
        .step("x", () => promise)
        .sleep(300)
        .step("y", () => 7),
    { requestTimeout: 200 },
  );
  resolve(1);
  const { status, body } = await answerOf(engine.fetch(request("/w")));
  expect([status, body]).toEqual([200, 7]);
});
