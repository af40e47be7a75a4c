import { expect, test } from "bun:test";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { WebhookError } from "./error.ts";
import { answerOf, recordingLog, request, serving } from "./webhook.testing.ts";

async function engineWith(options: WebhookOptions, lines = recordingLog()) {
  return serving(
    (engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w", options)
        .step("x", () => {}),
    { log: lines.log },
  );
}

test("onSuccess is told of the run, also when it was there before", async () => {
  const told: unknown[] = [];
  const engine = await engineWith({
    idempotencyKey: () => "k",
    onSuccess({ runId, repeated, payload, request }) {
      told.push({ runId, repeated, payload, source: request.headers.get("x-source") });
    },
  });
  const [first] = [
    await answerOf(engine.fetch(request("/w", { a: 1 }, { "x-source": "s" }))),
    await answerOf(engine.fetch(request("/w", { a: 1 }))),
  ];
  const { runId } = first.body as { runId: string };
  expect(told).toEqual([
    { runId, repeated: false, payload: { a: 1 }, source: "s" },
    { runId, repeated: true, payload: { a: 1 }, source: null },
  ]);
});

test("onError is told what was refused, and what failed", async () => {
  const told: [unknown, string][] = [];
  const onError = (error: unknown, request: Request): void => {
    told.push([error, request.url]);
  };
  const failure = new Error("no");
  const engine = await engineWith({
    onError,
    condition() {
      throw failure;
    },
  });
  await engine.fetch(request("/w", "{"));
  await engine.fetch(request("/w"));
  expect(told).toEqual([
    [expect.any(WebhookError), "http://localhost/w"],
    [failure, "http://localhost/w"],
  ]);
  expect(told[0]?.[0]).toMatchObject({ status: 400, code: "payload_invalid", issues: [{ path: "$" }] });
});

test("onError is not told of what was started, skipped, or is another method", async () => {
  const told: unknown[] = [];
  const engine = await engineWith({ onError: (error) => told.push(error), condition: (payload) => payload === 1 });
  const statuses = [request("/w", 1), request("/w", 2), request("/w", 1, {}, "PUT")].map(
    async (sent) => (await engine.fetch(sent)).status,
  );
  expect(await Promise.all(statuses)).toEqual([202, 200, 405]);
  expect(told).toEqual([]);
});

test.each<[string, () => unknown]>([
  ["throws", () => fail()],
  ["rejects", async () => fail()],
  ["never ends", () => new Promise(() => {})],
])("the answer does not change when a function beside it %s", async (what, call) => {
  const recording = recordingLog();
  const engine = await engineWith({ onSuccess: call, onError: call }, recording);
  expect((await engine.fetch(request("/w"))).status).toBe(202);
  expect((await engine.fetch(request("/w", "{"))).status).toBe(400);
  const failures = recording.lines.filter((line) => line.includes("of POST /w failed"));
  expect(failures).toHaveLength(what === "never ends" ? 0 : 2);
});

function fail(): never {
  throw new Error("beside");
}

test("the log says why a signature was refused, the sender does not hear it", async () => {
  const recording = recordingLog();
  const engine = await engineWith({ verify: () => ({ ok: false, reason: "the clock is wrong" }) }, recording);
  const { body } = await answerOf(engine.fetch(request("/w")));
  expect(JSON.stringify(body)).not.toContain("clock");
  expect(recording.lines).toContain("warn POST /w: a message was refused: the clock is wrong");
});
