import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, type PollItem, secret } from "cronflow-ffi";
import { recordingLog } from "./http/webhook/webhook.testing.ts";
import { LIMITS } from "./native/generated.ts";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

interface Mail extends PollItem {
  readonly id: number;
  readonly subject: string;
}

const mails: readonly Mail[] = [
  { id: 1, subject: "one" },
  { id: 2, subject: "two" },
];

/** Resolves when the poll has been asked so many times, this process. */
function polling(engine: Cronflow, polls: number, give: (poll: number) => readonly PollItem[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  engine
    .define({ id: "inbox" })
    .onPoll(
      () => {
        asked += 1;
        if (asked === polls) resolve();
        return give(asked);
      },
      { interval: 5 },
    )
    .step("read", (ctx) => ctx.payload);
  return promise;
}

test("each item starts one run, however often it is given, also by the process after", async () => {
  const database = join(temporaryDirectory(), "test.db");
  const first = testEngine({ database });
  const polled = polling(first, 4, (poll) => mails.slice(0, poll < 3 ? 1 : 2));
  await first.start();
  await polled;
  await first.stop();
  const second = testEngine({ database });
  const again = polling(second, 3, () => [...mails, { id: 3, subject: "three" }]);
  await second.start();
  await again;
  const { runs } = await second.list();
  const records = await Promise.all(runs.map(({ runId }) => second.result(runId).then(() => second.inspect(runId))));
  expect(records.map(({ payload }) => payload).reverse()).toEqual([...mails, { id: 3, subject: "three" }]);
  expect(records.at(-1)?.trigger).toEqual({ type: "poll", name: "poll-1", id: "1" });
});

test.each<[string, () => unknown, string]>([
  [
    "throws",
    () => {
      throw new Error("the server is down");
    },
    "the server is down",
  ],
  ["gives no array", () => ({}), "array"],
  [
    "gives more than it may",
    () => Array.from({ length: 10_001 }, (_, id) => ({ id })),
    "at most 10000 items, not 10001",
  ],
  ["takes too long", () => new Promise(() => {}), "timeout"],
])("a poll that %s is backed off, and schedules() says why", async (_what, poll, message) => {
  const engine = testEngine();
  let asked = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  engine
    .define({ id: "inbox" })
    .onPoll(
      () => {
        asked += 1;
        if (asked === 3) resolve();
        return poll() as never;
      },
      { interval: 5, timeout: 10 },
    )
    .step("read", () => 1);
  await engine.start();
  await promise;
  const schedule = (await engine.schedules())[0];
  expect(schedule).toMatchObject({
    kind: "poll",
    name: "poll-1",
    everyMs: 5,
  });
  expect(schedule?.lastError?.message).toContain(message);
  expect(schedule?.failures).toBeGreaterThanOrEqual(2);
  expect((await engine.list()).runs).toEqual([]);
});

test("a poll that succeeds again is no longer backed off", async () => {
  const engine = testEngine();
  const polled = polling(engine, 4, (poll) => {
    if (poll === 2) throw new Error("once");
    return mails;
  });
  await engine.start();
  await polled;
  expect((await engine.schedules())[0]?.failures).toBe(0);
  expect((await engine.list()).runs).toHaveLength(2);
});

test("a stop aborts a poll that is being asked, and does not wait for it", async () => {
  const engine = testEngine();
  const { promise: asked, resolve } = Promise.withResolvers<AbortSignal>();
  engine
    .define({ id: "inbox" })
    .onPoll(
      ({ signal }) => {
        resolve(signal);
        return new Promise<never>(() => {});
      },
      { interval: "1h" },
    )
    .step("read", () => 1);
  await engine.start();
  const signal = await asked;
  await engine.stop();
  expect(signal.aborted).toBe(true);
});

const SECRET = `poll-${crypto.randomUUID()}`;
process.env["CRONFLOW_TEST_POLL"] = SECRET;

/** Items that cannot start a run, each given between two that can, and what is said of it. */
const BAD: Readonly<Record<string, readonly [item: unknown, said: string]>> = {
  "has no key": [{ id: 2 }, 'item "2": The `key` of concurrency of workflow `inbox` gave undefined instead of a text.'],
  "has a key that is too long": [
    { id: 2, tenant: "€".repeat(171) },
    "gave a text of 513 bytes; a key has at most 512.",
  ],
  "makes the key throw": [{ id: 2, tenant: null }, "of workflow `inbox` threw: no tenant"],
  "has a secret in its key": [{ id: 2, tenant: "secret" }, "it has the value of secret(env:CRONFLOW_TEST_POLL) in it"],
  "has a secret in it": [{ id: 2, tenant: "a", text: SECRET }, "it has the value of secret(env:CRONFLOW_TEST_POLL) in"],
  "has NaN in it": [{ id: 2, tenant: "a", at: [Number.NaN] }, 'item "2": the item cannot be recorded as JSON: $.at[0]'],
  "is too large": [{ id: 2, tenant: "a", text: "€".repeat(LIMITS.VALUE_BYTES / 3) }, 'item "2": the item has 4194'],
  "has no id": [{ tenant: "a" }, "the item at place 1: it has no `id` that is a text or a number"],
  "has an id that is too long": [{ id: "€".repeat(171), tenant: "a" }, "its `id` has 513 bytes, at most 512 are taken"],
  "is nothing": [undefined, "the item at place 1: it has no `id`"],
  "cannot be read": [
    {
      get id(): number {
        throw new Error("it is gone");
      },
    },
    "the item at place 1: it is gone",
  ],
};

test.each(Object.entries(BAD))("an item that %s is left out, and blocks no other", async (_what, [bad, said]) => {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log });
  const polled = Promise.withResolvers<void>();
  let asked = 0;
  const key = ({ tenant }: { tenant: string | null }): string => {
    if (tenant === null) throw new Error("no tenant");
    return tenant === "secret" ? SECRET : tenant;
  };
  engine
    .define({ id: "inbox", concurrency: { limit: 1, key }, secrets: { key: secret("env:CRONFLOW_TEST_POLL") } })
    .onPoll(
      () => {
        asked += 1;
        if (asked === 4) polled.resolve();
        return [{ id: 1, tenant: "a" }, bad as { id: number; tenant: string }, { id: 3, tenant: "b" }];
      },
      { interval: 5 },
    )
    .step("read", (ctx) => ctx.payload.id);
  await engine.start();
  await polled.promise;
  const { runs } = await engine.list();
  expect(await Promise.all(runs.map(({ runId }) => engine.result(runId)))).toEqual([3, 1]);
  const schedule = (await engine.schedules())[0];
  expect([schedule?.failures, schedule?.lastError, schedule?.lastRunId]).toEqual([0, undefined, runs[0]?.runId]);
  // It was given three times, and is told of once.
  expect(lines.filter((line) => /^(warn|error)/.test(line))).toEqual([
    expect.stringContaining("warn poll `poll-1` of workflow `inbox` gave an item that cannot start a run"),
  ]);
  expect(lines.join()).toContain(said);
  expect(lines.join()).not.toContain(SECRET);
});

test("an item that was left out starts its run once it is right, and another one is told of", async () => {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log });
  const polled = polling(engine, 5, (poll) => {
    const bad = Array.from({ length: 7 }, (_, index) => ({ id: `bad ${index}`, at: Number.NaN }));
    return poll < 3 ? [{ id: 1, at: Number.NaN }] : [{ id: 1, at: 5 }, ...bad];
  });
  await engine.start();
  await polled;
  const { runs } = await engine.list();
  expect(await Promise.all(runs.map(({ runId }) => engine.result(runId)))).toEqual([{ id: 1, at: 5 }]);
  const warned = lines.filter((line) => line.startsWith("warn"));
  expect(warned).toHaveLength(2);
  expect(warned[0]).toContain('item "1": the item cannot be recorded as JSON: $.at is NaN');
  expect(warned[1]).toMatch(/gave 7 items that cannot .* item "bad 4": [^;]*; and 2 more$/);
});

test("a poll may give more than one request can hold", async () => {
  const engine = testEngine({ database: ":memory:" });
  const text = "x".repeat(3_500_000);
  const ids = Array.from({ length: Math.ceil(LIMITS.REQUEST_BYTES / text.length) + 1 }, (_, id) => id);
  const polled = Promise.withResolvers<void>();
  let asked = 0;
  engine
    .define({ id: "inbox" })
    .onPoll(
      () => {
        asked += 1;
        if (asked === 2) polled.resolve();
        return asked === 1 ? ids.map((id) => ({ id, text })) : [];
      },
      { interval: 5 },
    )
    .step("read", (ctx) => [ctx.payload.id, ctx.payload.text.length]);
  await engine.start();
  await polled.promise;
  const { runs } = await engine.list();
  const results = await Promise.all(runs.map(({ runId }) => engine.result(runId)));
  expect(results.reverse()).toEqual(ids.map((id) => [id, text.length]));
});
