/** Runs that are started by what a service hears. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { defineService, type Emit, type TriggerContext } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "../testing/engines.ts";

interface Message {
  readonly text: string;
  readonly at: Date;
}

/** A service whose messages the test makes. */
function radio(events: string[] = []) {
  const emitters = new Map<string, Emit<Message>>();
  const service = defineService({
    id: "radio",
    setup: () => ({
      actions: { hum: () => "hum" },
      triggers: {
        onMessage: async (emit: Emit<Message>, { channel }: { channel: string }, { signal }: TriggerContext) => {
          emitters.set(channel, emit);
          signal.addEventListener("abort", () => events.push(`${channel} signal`));
          return () => events.push(`${channel} ended`);
        },
        onNothing: (_emit: Emit<null>) => {},
      },
      stop: () => events.push("stopped"),
    }),
  }).withConfig();
  const emit = (channel: string, text: string, id?: string): Promise<string> => {
    const found = emitters.get(channel);
    if (found === undefined) throw new Error(`nobody listens to ${channel}`);
    return found({ text, at: new Date(0) }, id === undefined ? {} : { id });
  };
  return { service, emit };
}

test("a trigger starts a run of each workflow that listens, and tells its id after the commit", async () => {
  const { service, emit } = radio();
  const auth = "a-token-of-this-test";
  const engine = testEngine({ auth });
  engine
    .define({ id: "news", services: [service] })
    .onService(service, "onMessage", { channel: "news" })
    .step("read", (ctx) => `${ctx.payload.text} ${ctx.payload.at} ${ctx.services.radio.hum()}`);
  engine
    .define({ id: "music" })
    .onService(service, "onMessage", { channel: "music" })
    .onService(service, "onNothing")
    .step("read", (ctx) => ctx.trigger);
  await engine.start();
  expect(await engine.result(await emit("news", "hello"))).toBe("hello 1970-01-01T00:00:00.000Z hum");
  const runId = await emit("music", "la", "m1");
  expect(await engine.result(runId)).toEqual({ type: "service", service: "radio", name: "onMessage", id: "m1" });
  expect(await engine.inspect(runId)).toMatchObject({ workflowId: "music", trigger: { type: "service" } });
  const headers = { authorization: `Bearer ${auth}` };
  const listed = await (await engine.fetch(new Request("http://x/cronflow/workflows", { headers }))).json();
  expect(listed).toMatchObject({
    workflows: [{ id: "news", triggers: [{ type: "service", service: "radio", name: "onMessage" }] }, { id: "music" }],
  });
});

test("a message that is emitted again finds its run, by the process after, too; another of its id is refused", async () => {
  const database = join(temporaryDirectory(), "test.db");
  const runs: string[] = [];
  for (const _process of [1, 2]) {
    const { service, emit } = radio();
    const engine = testEngine({ database });
    engine
      .define({ id: "w" })
      .onService(service, "onMessage", { channel: "a" })
      .step("read", () => 1);
    await engine.start();
    runs.push(await emit("a", "x", "m1"), await emit("a", "x", "m1"), await emit("a", "x", "m".repeat(1_000)));
    await expect(emit("a", "y", "m1")).rejects.toMatchObject({ code: "delivery_conflict" });
    await expect(emit("a", "y", "")).rejects.toThrow("no text, or empty");
    expect((await engine.list()).runs).toHaveLength(2);
    await engine.stop();
  }
  expect(new Set(runs).size).toBe(2);
});

test("triggers end first when the engine stops, and nothing is taken any more", async () => {
  const events: string[] = [];
  const { service, emit } = radio(events);
  const engine = testEngine();
  engine
    .define({ id: "w" })
    .onService(service, "onMessage", { channel: "a" })
    .onService(service, "onMessage", { channel: "b" })
    .step("read", async () => {
      await Bun.sleep(5);
      events.push("handler");
    });
  await engine.start();
  await emit("a", "x");
  await engine.stop();
  expect(events).toEqual(["a signal", "b signal", "b ended", "a ended", "handler", "stopped"]);
  await expect(emit("a", "x")).rejects.toThrow("the engine stops");
});

test("what cannot be recorded is refused to who emits it", async () => {
  const { service, emit } = radio();
  const odd = defineService({
    id: "odd",
    setup: () => ({
      actions: {},
      triggers: {
        onOdd: (given: Emit<unknown>) => {
          emitOdd = given;
        },
      },
    }),
  }).withConfig();
  let emitOdd: Emit<unknown> | undefined;
  const engine = testEngine();
  engine
    .define({ id: "w" })
    .onService(service, "onMessage", { channel: "a" })
    .onService(odd, "onOdd")
    .step("read", () => 1);
  await engine.start();
  await expect(emitOdd?.({ n: Number.NaN })).rejects.toThrow(
    "payload of `odd.onOdd` cannot be recorded as JSON: $.n is NaN",
  );
  expect(await engine.result(await emit("a", "x"))).toBe(1);
});

test.each<[string, () => Promise<void>, string]>([
  [
    "that throws",
    async () => {
      throw new Error("no antenna");
    },
    "deaf.onSound: no antenna",
  ],
])("a trigger %s fails the start by name", async (_what, listen, message) => {
  const events: string[] = [];
  const deaf = defineService({
    id: "deaf",
    setup: () => ({
      actions: {},
      triggers: { onSound: (_emit: Emit<null>) => listen() },
      stop: () => events.push("stopped"),
    }),
  }).withConfig();
  const engine = testEngine();
  engine
    .define({ id: "w" })
    .onService(deaf, "onSound")
    .step("x", () => 1);
  await expect(engine.start()).rejects.toThrow(message);
  expect(events).toEqual(["stopped"]);
});

test("a trigger that the service does not have fails the start; what is no service is refused at once", async () => {
  const { service } = radio();
  const engine = testEngine();
  const workflow = engine.define({ id: "w" });
  // @ts-expect-error no such trigger
  workflow.onService(service, "onSmoke");
  // @ts-expect-error no service
  expect(() => workflow.onService({}, "onMessage")).toThrow("give what its .withConfig() gives");
  workflow.step("x", () => 1);
  await expect(engine.start()).rejects.toThrow("radio.onSmoke: the service has no such trigger");
});

test("a trigger that fails to end, or hangs, holds up nobody", async () => {
  const lines: string[] = [];
  const log = { ...console, error: (message: string) => void lines.push(message) };
  const bad = defineService({
    id: "bad",
    setup: () => ({
      actions: {},
      triggers: {
        hangs: (_emit: Emit<null>) => () => new Promise(() => {}),
        throws: (_emit: Emit<null>) => () => {
          throw new Error("no");
        },
      },
    }),
  }).withConfig();
  const engine = testEngine({ log });
  engine
    .define({ id: "w" })
    .onService(bad, "hangs")
    .onService(bad, "throws")
    .step("x", () => 1);
  await engine.start();
  await engine.stop({ timeout: 20 });
  expect(lines).toEqual(["the trigger `bad.throws` failed to end", "triggers of services did not end in time"]);
});
