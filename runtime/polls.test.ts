import { expect, test } from "bun:test";
import { join } from "node:path";
import type { Cronflow, PollItem } from "cronflow-ffi";
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
  ["gives an item without an id", () => [{ subject: "x" }], "item 0 of the poll has no `id`"],
  ["gives what cannot be recorded", () => [{ id: 1, at: Number.NaN }], "NaN"],
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
