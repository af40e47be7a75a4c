/** Several workflows under test, and HTTP without a socket. */
import { expect, test } from "bun:test";
import { createCronflow, defineService, InvalidError, type PollItem } from "cronflow-ffi";
import { ExpectationError, never, testApp } from "cronflow-ffi/testing";
import { z } from "zod";

const engine = createCronflow({ auth: "token-of-the-test" });
const shipping = engine
  .define({ id: "shipping" })
  .onEvent("paid", { schema: z.object({ order: z.string() }) })
  .sleep("1d")
  .step("ship", (ctx) => `shipped ${ctx.payload.order}`);
const orders = engine
  .define({ id: "orders" })
  .onWebhook("/orders/:id", { schema: z.object({ amount: z.number().positive() }) })
  .step("charge", (ctx) => ctx.payload.amount)
  .if("large", (ctx) => ctx.last > 100)
  .humanInTheLoop({ name: "approval" })
  .endIf();
engine
  .define({ id: "report" })
  .onWebhook("/report", { respond: "result" })
  .sleep("1h")
  .step("made", () => ({ pages: 3 }));

function post(path: string, body: unknown, headers: Record<string, string> = {}): Request {
  return new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

test("webhooks are answered by the real routes, and their runs are done when they are", async () => {
  await using app = testApp(engine);
  const answer = await app.fetch(post("/orders/a", { amount: 5 }));
  expect(answer.status).toBe(202);
  const { runId } = (await answer.json()) as { runId: string };
  const run = await app.run(runId);
  expect(run).toMatchObject({ status: "completed", trigger: { type: "webhook", params: { id: "a" } } });
  expect((await app.fetch(post("/orders/a", { amount: -5 }))).status).toBe(400);
  expect((await app.fetch("/orders/a")).status).toBe(405);
  expect((await app.fetch("/nothing")).status).toBe(404);
  expect(await app.runs(orders)).toHaveLength(1);
});

test("management asks for the token of the engine", async () => {
  await using app = testApp(engine);
  await app.fetch(post("/orders/a", { amount: 5 }));
  expect((await app.fetch("/cronflow/runs")).status).toBe(401);
  const listed = await app.fetch("/cronflow/runs", { headers: { authorization: "Bearer token-of-the-test" } });
  expect(await listed.json()).toMatchObject({ runs: [{ workflowId: "orders", status: "completed" }] });
});

test("a webhook that waits for the result is answered when its time has come", async () => {
  await using app = testApp(engine);
  const answer = app.fetch(post("/report", {}));
  await app.advance("1h");
  expect(await (await answer).json()).toEqual({ pages: 3 });
});

test("an event starts runs and is told to those that wait", async () => {
  const warnings: string[] = [];
  const log = { ...console, warn: (message: string) => warnings.push(message) };
  await using app = testApp([shipping], { log });
  expect(await app.publish("paid", { order: "a" })).toMatchObject({ runIds: [expect.any(String)], refused: [] });
  await app.expectRun(shipping).toWait();
  await app.advance("1d");
  await app.expectRun(shipping).toCompleteWith("shipped a");
  await app.expectStep(shipping, "ship").toHaveOutput("shipped a");
  expect((await app.publish("paid", {})).refused).toHaveLength(1);
  expect(warnings).toHaveLength(1);
});

test("a person answers, and a death of the process changes nothing", async () => {
  await using app = testApp([orders]);
  const first = await app.trigger(orders, { amount: 200 });
  await app.crash();
  await app.trigger(orders, { amount: 300 });
  await expect(app.approve()).rejects.toThrow("several steps wait for a person");
  await app.approve({ by: "ada" }, { run: first });
  await expect(app.approve({}, { run: first })).rejects.toThrow("no step waits for a person");
  await app.reject();
  const results = await Promise.all((await app.runs()).map(({ runId }) => app.run(runId)));
  expect(results.map(({ output }) => output)).toMatchObject([{ approved: true, by: "ada" }, { approved: false }]);
});

test("who is asked in several runs is told apart as the message says", async () => {
  const two = createCronflow()
    .define({ id: "two" })
    .manual()
    .parallel([(flow) => flow.humanInTheLoop({ name: "h" }), (flow) => flow.humanInTheLoop({ name: "other" })]);
  const one = createCronflow().define({ id: "one" }).manual().humanInTheLoop({ name: "h" });
  await using app = testApp([one, two]);
  const [first, second, third] = [await app.trigger(one), await app.trigger(two), await app.trigger(one)];
  const ask = (which: { step?: string; run?: string }): Promise<string> =>
    app.approve({}, which).then(
      () => "answered",
      (error: Error) => error.message,
    );
  const all = `\`h\` of ${first}, \`h\` of ${second}, \`other\` of ${second}, \`h\` of ${third}`;
  expect(await ask({})).toBe(
    `.approve(): several steps wait for a person: ${all}. Say which: .approve({}, { run: "${first}" }).`,
  );
  expect(await ask({ run: first })).toBe("answered");
  expect(await ask({ step: "h" })).toEndWith(`Say which: .approve({}, { run: "${second}", step: "h" }).`);
  expect(await ask({ run: second })).toBe(
    `.approve(): several steps wait for a person: \`h\`, \`other\`. Say which: .approve({}, { run: "${second}", step: "h" }).`,
  );
  expect(await ask({ run: second, step: "h" })).toBe("answered");
  expect(await ask({ run: second, step: "h" })).toStartWith(".approve(): step `h` does not wait for a person.");
  expect(await ask({})).toEndWith('Say which: .approve({}, { step: "other" }).');
  expect(await ask({ step: "other" })).toBe("answered");
  expect(await ask({})).toBe("answered");
});

test("an expectation that is not met says how the run is", async () => {
  await using app = testApp([orders]);
  await expect(app.expectRun(orders).toComplete()).rejects.toThrow("workflow `orders` has had no run");
  await app.trigger(orders, { amount: 200 });
  const error = await app
    .expectRun(orders)
    .toComplete()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ExpectationError);
  expect((error as Error).message).toBe(
    [
      "expected the run to complete, but it waits.",
      "",
      "The run of `orders` waits.",
      "Steps reached:",
      "  charge    succeeded",
      "  large     succeeded",
      "  approval  waits",
      "It waits: `approval` waits for a person: write `.approve()` or `.reject()`.",
    ].join("\n"),
  );
  await expect(app.expectStep(orders, "charge").toHaveBeenCalledTimes(2)).rejects.toThrow("but it was called once");
});

test("schedules and intervals fire by the time of the test", async () => {
  const timed = createCronflow();
  const nightly = timed
    .define({ id: "nightly" })
    .onSchedule("0 2 * * *", { timezone: "Europe/Berlin" })
    .step("at", (ctx) => ctx.trigger.scheduledAt);
  const hourly = timed
    .define({ id: "hourly" })
    .onInterval("1h")
    .step("at", (ctx) => ctx.run.startedAt);
  await using app = testApp([nightly, hourly], { now: "2026-03-28T00:00:00Z" });
  expect((await app.schedules("nightly"))[0]?.next[0]).toEqual(new Date("2026-03-28T01:00:00Z"));
  await app.advance("2d");
  // On the second night the clock goes from 2 to 3; the third is at the very end.
  const nights = await Promise.all((await app.runs(nightly)).map(({ runId }) => app.run(runId)));
  expect(nights.map(({ output }) => output)).toEqual([
    "2026-03-28T01:00:00Z",
    "2026-03-29T01:00:00Z",
    "2026-03-30T00:00:00Z",
  ]);
  expect(await app.runs(hourly)).toHaveLength(48);
  expect(app.now).toEqual(new Date("2026-03-30T00:00:00Z"));
});

test("polls are asked by the time of the test, and seen items are remembered over a death", async () => {
  let items: PollItem[] = [{ id: 1 }];
  const polled = createCronflow()
    .define({ id: "polled" })
    .onPoll(async () => items, { interval: "5m" })
    .step("id", (ctx) => ctx.payload.id);
  await using app = testApp([polled]);
  await app.advance("5m");
  items = [{ id: 1 }, { id: 2 }];
  await app.crash();
  await app.advance("10m");
  const runs = await Promise.all((await app.runs()).map(({ runId }) => app.run(runId)));
  expect(runs.map(({ output }) => output)).toEqual([1, 2]);
});

test("mocks stand for steps of each workflow, and must be used", async () => {
  const app = testApp([orders, shipping]).mockStep(orders, "charge", 7).mockStep(shipping, "ship", "mocked");
  await app.trigger(orders, { amount: 1 });
  expect((await app.run(orders)).output).toBe(7);
  await expect(app.close()).rejects.toThrow("never used: the mock of step `ship`");
  await app.close();
  await expect(app.runs()).rejects.toThrow("The app is closed");
});

test("a handler that hangs does not hold the others up", async () => {
  const hanging = createCronflow()
    .define({ id: "hanging" })
    .manual()
    .step("hangs", () => 1)
    .timeout("1m");
  await using app = testApp([hanging, shipping], { patience: "1h" }).mockStep(hanging, "hangs", never);
  await app.trigger(hanging);
  await app.publish("paid", { order: "a" });
  await app.advance("1d");
  await app.expectStep(hanging, "hangs").toFailWith("timeout");
  await app.expectRun(shipping).toComplete();
});

test("what must be said before the start says so", async () => {
  const parent = createCronflow().define({ id: "parent" }).manual().subflow("call", "child");
  await using app = testApp([parent]);
  await app.start();
  expect(() => app.mockStep(parent, "call", 1)).toThrow("write it before the first call");
  expect(() => app.mockStep(parent, "call", 1)).toThrow(InvalidError);
});

test("workflows bring those along that they were given for subflows; an engine has what it has", async () => {
  const child = createCronflow()
    .define({ id: "child" })
    .manual()
    .step("work", () => "worked");
  const own = createCronflow();
  const parent = own.define({ id: "parent" }).manual().subflow("call", child);
  await using app = testApp([parent]).mockStep(child, "work", "mocked");
  await app.trigger(parent);
  await app.expectRun(parent).toCompleteWith("mocked");
  await app.expectRun(child).toComplete();

  await using whole = testApp(own);
  await whole.trigger(parent);
  await whole.expectRun(parent).toFailWith("no workflow `child` is defined in this process");

  const byId = createCronflow().define({ id: "by-id" }).manual().subflow("call", "child");
  await using lacking = testApp([byId]);
  await lacking.trigger(byId);
  await lacking.expectRun(byId).toFailWith("Write testApp([…, <the workflow>]), or .mockStep");
});

test("handlers and hooks that call their engine call the one under test", async () => {
  const busy = createCronflow();
  const told: string[] = [];
  const listener = busy
    .define({ id: "listener" })
    .onEvent("told")
    .step("note", (ctx) => told.push(String(ctx.payload)));
  const caller = busy
    .define({ id: "caller", hooks: { onSuccess: (_ctx, step) => step ?? busy.publishEvent("told", "by the hook") } })
    .manual()
    .step("call", async () => {
      await busy.publishEvent("told", "by the step");
      await busy.state.set("key", "value");
      return busy.execute(listener, "by execute");
    });
  await using app = testApp([listener, caller]);
  await app.trigger(caller);
  await app.expectRun(caller).toComplete();
  expect(told).toEqual(["by the step", "by execute", "by the hook"]);
  expect(await app.engine.state.get("key")).toBe("value");
  await expect(busy.state.get("key")).rejects.toThrow("call start() first");
});

test("whatever else of a workflow calls its engine calls the one under test", async () => {
  const busy = createCronflow();
  const note = busy
    .define({ id: "note" })
    .manual()
    .step("what", (ctx) => ctx.payload);
  const failures: unknown[] = [];
  const tell = (what: string): Promise<void> =>
    busy.trigger(note, what).then(
      () => {},
      (error) => void failures.push([what, error]),
    );
  const told =
    <T>(what: string, value: T) =>
    async (): Promise<T> =>
      tell(what).then(() => value);
  busy
    .define({ id: "hook" })
    .onWebhook("/hook", {
      schema: z.unknown().refine(told("schema", true)),
      validate: told("validate", true),
      condition: told("condition", true),
      onSuccess: told("webhook's onSuccess", undefined),
    })
    .step("flaky", (ctx) => {
      if (ctx.attempt === 1) throw new Error("busy");
    })
    .retry({
      backoff: { delay: 0 },
      onRetry: told("onRetry", undefined),
      retryOn: () => tell("retryOn") !== undefined,
    });
  busy
    .define({ id: "poll" })
    .onPoll(told("poll", []), { interval: "1h" })
    .step("none", () => 1);
  await using app = testApp(busy);
  await app.start();
  const texts = async (): Promise<unknown[]> => {
    const notes = await app.runs(note);
    return (await Promise.all(notes.map(({ runId }) => app.inspect(runId)))).map(({ payload }) => payload);
  };
  await app.fetch(post("/hook", {}));
  await app.advance("1h");
  expect(failures).toEqual([]);
  const all = ["condition", "onRetry", "poll", "retryOn", "schema", "validate", "webhook's onSuccess"];
  expect([...new Set(await texts())].toSorted()).toEqual(all);
  const polls = async (): Promise<number> => (await texts()).filter((text) => text === "poll").length;
  expect(await polls()).toBe(2);
  await app.crash();
  await app.advance("1h");
  expect(failures).toEqual([]);
  expect(await polls()).toBe(3);
  // It is that of the app's calls alone.
  await expect(busy.trigger(note)).rejects.toThrow("call start() first");
});

test("handlers call the engine under test, whoever has asked it", async () => {
  const busy = createCronflow();
  const note = busy
    .define({ id: "note" })
    .manual()
    .step("what", (ctx) => ctx.payload);
  const caller = busy
    .define({ id: "caller" })
    .manual()
    .step("call", () => busy.execute(note, "by the step"));
  await using app = testApp(busy);
  await app.start();
  expect(await app.engine.execute(caller)).toBe("by the step");
});

test("the engine that is tested is not started by it", async () => {
  await using app = testApp(engine);
  expect(() => app.engine).toThrow("write `await app.start()` before");
  expect(app.now).toEqual(new Date("2026-01-01T00:00:00Z"));
  await app.trigger("orders", { amount: 1 });
  await expect(engine.trigger("orders", { amount: 1 })).rejects.toThrow("call start() first");
  expect(await app.engine.state.get("nothing")).toBeUndefined();
});

test("an app that cannot start says why, once", async () => {
  const broken = defineService({
    id: "broken",
    setup: () => {
      throw new Error("no connection");
    },
  });
  const workflow = createCronflow()
    .define({ id: "uses", services: [broken.withConfig()] })
    .manual()
    .step("a", () => 1);
  await using app = testApp([workflow]);
  await expect(app.trigger(workflow)).rejects.toThrow("broken.setup: no connection");
});
