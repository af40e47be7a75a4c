import { expect, test } from "bun:test";
import { join } from "node:path";
import { type Cronflow, InvalidError, type Schedule } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

/** Resolves when `tell` has been called so many times. */
function counter(times: number): { readonly reached: Promise<void>; readonly tell: () => void } {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  let left = times;
  const tell = (): void => {
    left -= 1;
    if (left === 0) resolve();
  };
  return { reached, tell };
}

function defining(define: (engine: Cronflow) => unknown): string {
  const engine = testEngine();
  try {
    define(engine);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidError);
    expect((error as InvalidError).code).toBe("definition_invalid");
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

test.each<[string, string, string | undefined, string[]]>([
  ["a minute", "61 * * * *", undefined, ["61 * * * *", "field 1 (minute)", "`61`"]],
  ["an hour", "0 25 * * *", undefined, ["field 2 (hour)", "`25`"]],
  ["a day", "0 0 32 * *", undefined, ["field 3 (day of month)", "`32`"]],
  ["a month", "0 0 1 foo *", undefined, ["field 4 (month)", "`foo`"]],
  ["a day of the week", "0 0 * * 9", undefined, ["field 5 (day of week)", "`9`"]],
  ["a second", "99 0 0 * * *", undefined, ["field 1 (second)", "`99`"]],
  ["the number of fields", "* * *", undefined, ["5"]],
  ["a day that never comes", "0 0 30 2 *", undefined, ["never"]],
  ["a zone", "0 0 * * *", "Mars/Base", ["Mars/Base", "time zone"]],
])("a cron expression in which %s is wrong is an error at definition that shows it", (_what, cron, timezone, parts) => {
  const message = defining((engine) => engine.define({ id: "a" }).onSchedule(cron, timezone ? { timezone } : {}));
  expect(message).toStartWith("Workflow `a`, schedule ");
  for (const part of parts) expect(message).toContain(part);
});

test.each<[string, (engine: Cronflow) => unknown, string]>([
  ["an interval of nothing", (engine) => engine.define({ id: "a" }).onInterval(0), "at least 1 ms"],
  [
    "a word for misfire",
    (engine) => engine.define({ id: "a" }).onInterval("1m", { misfire: "never" as "skip" }),
    "misfire",
  ],
  [
    "a word for overlap",
    (engine) => engine.define({ id: "a" }).onSchedule("* * * * *", { overlap: "x" as "skip" }),
    "overlap",
  ],
  [
    "two schedules of one name",
    (engine) => engine.define({ id: "a" }).onInterval("1m").onInterval(60_000),
    "two schedules named `every 60000 ms`",
  ],
  [
    "a poll without a function",
    (engine) => engine.define({ id: "a" }).onPoll(1 as never, { interval: "1m" }),
    "function",
  ],
  ["an event without a name", (engine) => engine.define({ id: "a" }).onEvent(""), "event"],
])("%s is an error at definition", (_what, define, part) => {
  expect(defining(define)).toContain(part);
});

test("a key of a limit that cannot do without a payload is refused beside a schedule", async () => {
  const engine = testEngine();
  engine
    .define({ id: "a", concurrency: { limit: 1, key: (payload: { tenant: string }) => payload.tenant } })
    .onInterval("1h")
    .step("work", () => 1);
  expect(engine.start()).rejects.toThrow("The payload of runs that a schedule starts is undefined");
});

test("an interval starts runs whose trigger says for which instant, a whole number of intervals apart", async () => {
  const engine = testEngine();
  const instants: (string | undefined)[] = [];
  const four = counter(4);
  engine
    .define({ id: "ticks" })
    .onInterval(25, { misfire: "all" })
    .step("tick", (ctx) => {
      expect([ctx.trigger.type, ctx.trigger.name, ctx.payload]).toEqual(["interval", "every 25 ms", undefined]);
      instants.push(ctx.trigger.scheduledAt);
      four.tell();
    });
  await engine.start();
  await four.reached;
  const ms = instants.slice(0, 4).map((instant) => Date.parse(instant as string));
  const first = ms[0] as number;
  expect(ms.map((instant) => (instant - first) / 25)).toEqual([0, 1, 2, 3]);
});

test("an interval is counted from the first start, also by the process after", async () => {
  const database = join(temporaryDirectory(), "test.db");
  const at: number[] = [];
  for (const _process of [1, 2]) {
    const engine = testEngine({ database });
    const two = counter(2);
    engine
      .define({ id: "ticks" })
      .onInterval(40)
      .step("tick", (ctx) => {
        at.push(Date.parse(ctx.trigger.scheduledAt as string));
        two.tell();
      });
    await engine.start();
    await two.reached;
    await engine.stop();
  }
  const first = at[0] as number;
  expect(new Set(at).size).toBe(at.length);
  for (const instant of at) expect((instant - first) % 40).toBe(0);
});

test("a cron expression starts a run at each of its instants, and schedules() tells the next five and the last", async () => {
  const engine = testEngine();
  const two = counter(2);
  engine
    .define({ id: "seconds" })
    .onSchedule("* * * * * *", { timezone: "Europe/Berlin", misfire: "all", overlap: "queue", jitter: 5 })
    .onSchedule("0 9 * * 1-5", { name: "office" })
    .step("tick", two.tell);
  await engine.start();
  await two.reached;
  const [seconds, office] = (await engine.schedules()) as [Schedule, Schedule];
  expect(seconds).toMatchObject({
    workflowId: "seconds",
    name: "* * * * * * Europe/Berlin",
    kind: "cron",
    cron: "* * * * * *",
    timezone: "Europe/Berlin",
    misfire: "all",
    overlap: "queue",
    jitterMs: 5,
    paused: false,
  });
  const next = seconds.next.map(Number);
  expect(next).toHaveLength(5);
  expect(next.map((instant) => instant - (next[0] as number))).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  expect(seconds.last?.getTime()).toBe((next[0] as number) - 1_000);
  const last = await engine.inspect(seconds.lastRunId as string);
  expect(last.trigger).toMatchObject({ type: "schedule", name: seconds.name });
  expect(office).toMatchObject({ name: "office", timezone: "UTC", misfire: "once", overlap: "allow", jitterMs: 0 });
  for (const instant of office.next) expect([instant.getUTCHours(), instant.getUTCMinutes()]).toEqual([9, 0]);
  expect(await engine.schedules({ workflowId: "nobody" })).toEqual([]);
});

test("a paused workflow's schedule starts nothing, and what came meanwhile is not made up for", async () => {
  const engine = testEngine();
  const runs: number[] = [];
  let next = counter(1);
  engine
    .define({ id: "ticks" })
    .onInterval(10, { misfire: "all" })
    .step("tick", (ctx) => {
      runs.push(Date.parse(ctx.trigger.scheduledAt as string));
      next.tell();
    });
  // Something else that happens meanwhile, so that nobody has to sleep.
  const others = counter(5);
  engine.define({ id: "others" }).onInterval(10, { misfire: "all" }).step("tick", others.tell);
  await engine.start();
  await next.reached;
  await engine.pause("ticks");
  const pausedMs = Date.now();
  expect((await engine.schedules({ workflowId: "ticks" }))[0]?.paused).toBe(true);
  await others.reached;
  const unpausedMs = Date.now();
  next = counter(1);
  await engine.unpause("ticks");
  await next.reached;
  expect(runs.filter((instant) => instant > pausedMs && instant < unpausedMs)).toEqual([]);
});
