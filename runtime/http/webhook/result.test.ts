import { expect, test } from "bun:test";
import { testEngine } from "../../testing/engines.ts";
import { answerOf, recordingLog, request, type Seen, serving } from "./webhook.testing.ts";

const result = { respond: "result", timeout: "10s" } as const;

test.each<[string, unknown, unknown]>([
  ["an object", { ok: true }, { ok: true }],
  ["zero", 0, 0],
  ["nothing", undefined, null],
  ["a text", "done", "done"],
])("answers 200 with an output that is %s", async (_what, output, body) => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", result)
      .step("x", () => output),
  );
  const seen = await answerOf(engine.fetch(request("/w")));
  expect([seen.status, seen.body]).toEqual([200, body]);
  expect(seen.headers.get("x-run-id")).toMatch(/^run_/);
});

test("a repeated key is answered with the same output, of a run that has ended and of one that has not", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { ...result, idempotencyKey: () => "k" })
      .step("x", () => promise),
  );
  const [first, second] = [answerOf(engine.fetch(request("/w"))), answerOf(engine.fetch(request("/w")))];
  resolve(7);
  const seen = [await first, await second, await answerOf(engine.fetch(request("/w")))];
  expect(seen.map(({ status, body }) => [status, body])).toEqual(Array(3).fill([200, 7]));
  expect(new Set(seen.map(({ headers }) => headers.get("x-run-id"))).size).toBe(1);
});

test("answers 422 with the error of a run that failed or was cancelled, without its stack", async () => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "fails" })
      .onWebhook("/fails", result)
      .step("x", () => Promise.reject(new TypeError("no")));
    engine.define({ id: "cancelled" }).onWebhook("/cancelled", result).cancel("enough");
  });
  expect(await answerOf(engine.fetch(request("/fails")))).toMatchObject({
    status: 422,
    body: { runId: expect.stringMatching(/^run_/), status: "failed", error: { name: "TypeError", message: "no" } },
  });
  const { status, body } = await answerOf(engine.fetch(request("/cancelled")));
  expect(status).toBe(422);
  expect(body).toMatchObject({ status: "cancelled", error: { message: expect.stringContaining("enough") } });
  expect(JSON.stringify(body)).not.toContain("stack");
});

test("in production what a run failed of is not the sender's business", async () => {
  const engine = await serving(
    (engine) =>
      engine
        .define({ id: "fails" })
        .onWebhook("/fails", { ...result, verify: "none" })
        .step("x", () => Promise.reject(new TypeError("no connection to db://me:secret@host"))),
    { production: true },
  );
  const { status, body } = await answerOf(engine.fetch(request("/fails")));
  expect({ status, body }).toMatchObject({ status: 422, body: { status: "failed", error: { name: "TypeError" } } });
  expect(JSON.stringify(body)).not.toContain("secret");
});

test("answers 504 with the run's id when it takes longer; the run goes on", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { respond: "result", timeout: 1 })
      .step("x", () => promise),
  );
  const { status, body } = await answerOf(engine.fetch(request("/w")));
  expect(status).toBe(504);
  expect(body).toEqual({
    runId: expect.stringMatching(/^run_/),
    error: { code: "result_timeout", message: "The run is not finished yet." },
  });
  resolve(7);
  expect(await engine.result((body as { runId: string }).runId)).toBe(7);
});

test("answers 504 with the run's id when the engine stops first", async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", result)
      .step("x", () => {
        begin();
        return new Promise(() => {});
      }),
  );
  const answer = answerOf(engine.fetch(request("/w")));
  await begun;
  await engine.stop({ timeout: 0 });
  expect(await answer).toMatchObject({
    status: 504,
    body: { runId: expect.stringMatching(/^run_/), error: { code: "closed" } },
  });
});

test("senders that wait at a server that stops are answered before it ends their connections, and it is no error", async () => {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log, auth: "a-token-that-nobody-guesses" });
  const [asleep, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  engine
    .define({ id: "sleeps" })
    .onWebhook("/sleeps", { ...result, onSuccess: () => asleep.resolve() })
    .sleep("1h");
  engine
    .define({ id: "executes" })
    .onWebhook("/executes", result)
    .step("x", () => {
      begun.resolve();
      return new Promise(() => {});
    });
  await engine.start({ port: 0 });
  const ask = (path: string): Promise<Seen> => answerOf(fetch(new URL(path, engine.url), { method: "POST" }));
  const answers = [ask("/sleeps"), ask("/executes")];
  await Promise.all([asleep.promise, begun.promise]);
  await engine.stop({ timeout: 0 });
  for (const { status, body } of await Promise.all(answers)) {
    expect([status, body]).toEqual([
      504,
      {
        runId: expect.stringMatching(/^run_/),
        error: { code: "closed", message: "The engine has stopped; the run goes on with its next start." },
      },
    ]);
  }
  expect(lines).toEqual([]);
});

test("a request that is never answered does not keep the engine from stopping", async () => {
  const begun = Promise.withResolvers<void>();
  const engine = testEngine({ auth: "a-token-that-nobody-guesses" });
  const hangs = (): Promise<never> => {
    begun.resolve();
    return new Promise(() => {});
  };
  engine
    .define({ id: "hangs" })
    .onWebhook("/hangs", { condition: hangs })
    .step("x", () => 1);
  await engine.start({ port: 0 });
  const answer = fetch(new URL("/hangs", engine.url), { method: "POST" }).catch((error) => error.code);
  await begun.promise;
  await engine.stop({ timeout: 0 });
  expect(await answer).toBe("ECONNRESET");
});
