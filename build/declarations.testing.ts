/**
 * A user's module that exports a workflow of each form, and whatever else has an inferred type: a compiler that writes
 * declarations of it must be able to name all of it. It is compiled in a clean room, and never executed.
 */
import { createCronflow, defineService, secret, verify } from "cronflow-ffi";
import { email } from "cronflow-ffi/services/email";
import { github } from "cronflow-ffi/services/github";
import { http } from "cronflow-ffi/services/http";
import { s3 } from "cronflow-ffi/services/s3";
import { slack } from "cronflow-ffi/services/slack";
import { sql } from "cronflow-ffi/services/sql";
import { generatePayload, testApp } from "cronflow-ffi/testing";
import { z } from "zod";

export const engine = createCronflow({ database: ":memory:" });
export const order = z.object({ id: z.string(), amount: z.number() });
export const clock = defineService({
  id: "clock",
  schema: { config: z.object({ zone: z.string() }), auth: z.object({ key: z.string() }) },
  setup: ({ config }) => ({
    actions: { zone: () => config.zone },
    triggers: { tick: (emit: (at: number) => Promise<string>, _options: { seconds: number }) => void emit(0) },
  }),
});
export const configured = clock.withConfig({ config: { zone: "UTC" }, auth: { key: secret("env:CLOCK_KEY") } });

// Triggers.
export const none = engine.define({ id: "none" });
export const webhook = engine.define({ id: "webhook" }).onWebhook("/orders", { schema: order });
export const schedule = engine.define({ id: "schedule" }).onSchedule("0 9 * * *");
export const interval = engine.define({ id: "interval" }).onInterval("15m");
export const event = engine.define({ id: "event" }).onEvent("paid", { schema: order });
export const poll = engine.define({ id: "poll" }).onPoll(() => [{ id: 1, name: "one" }], { interval: "1m" });
export const service = engine.define({ id: "service" }).onService(configured, "tick", { seconds: 1 });
export const manual = engine.define({ id: "manual" }).manual({ schema: order });
export const several = engine.define({ id: "several" }).onEvent("paid", { schema: order }).onSchedule("* * * * *");

// Nodes, each after a step whose output is a number.
const begin = (id: string) =>
  engine
    .define({ id })
    .manual({ schema: order })
    .step("sum", (ctx) => ctx.payload.amount);
export const step = begin("step");
export const titled = engine.define({ id: "titled" }).step({ id: "one", title: "One" }, () => new Date());
export const action = begin("action").action("tell", () => undefined);
export const log = begin("log").log((ctx) => `${ctx.last}`, "warn");
export const retries = begin("retries").retry({ attempts: 2 }).timeout("1s").delay("1s");
export const cached = begin("cached")
  .cache({ key: () => "key", ttl: "1h" })
  .circuitBreaker();
export const onError = begin("onError").onError((ctx) => ctx.error.message);
export const openIf = begin("openIf")
  .if((ctx) => ctx.last > 1)
  .step("large", () => "large");
export const closedIf = begin("closedIf")
  .if("size", (ctx) => ctx.last > 2)
  .step("large", () => "large")
  .elseIf((ctx) => ctx.last > 1)
  .step("middle", () => true)
  .else()
  .step("small", () => null)
  .endIf();
export const ifInIf = begin("ifInIf")
  .if(() => true)
  .if(() => true)
  .step("inner", () => [1])
  .endIf()
  .endIf();
export const parallelList = begin("parallelList").parallel([(ctx) => ctx.last, (flow) => flow.step("b", () => "b")]);
export const parallelObject = begin("parallelObject").parallel({ a: () => 1, b: (flow) => flow.step("c", () => "c") });
export const race = begin("race").race([() => 1, (flow) => flow.sleep("1s").step("late", () => "late")]);
export const whileLoop = begin("whileLoop").while(
  "more",
  (ctx) => ctx.last < 10,
  (ctx) => ctx.last + 1,
);
export const forEach = begin("forEach").forEach("each", [{ n: 1 }], (item, flow) =>
  flow.step("n", (ctx) => ctx.item.n + item.n),
);
export const batch = begin("batch").batch("all", { items: () => [1, 2, 3], size: 2 }, (numbers, flow) =>
  flow.step("count", (ctx) => ctx.batch.length + numbers.length),
);
export const sleep = begin("sleep").sleep("1d");
export const sleepUntil = begin("sleepUntil").sleepUntil(new Date(0));
export const waitForEvent = begin("waitForEvent").waitForEvent("paid", { name: "paid", schema: order, timeout: "1d" });
export const approval = begin("approval").humanInTheLoop({ name: "boss", timeout: "1d" });
export const subflow = begin("subflow").subflow("child", step, (ctx) => ({ id: "1", amount: ctx.last }));
export const subflowById = begin("subflowById").subflow("child", "step");
export const cancel = begin("cancel").cancel("enough");

// What services and secrets add, in blocks too.
export const services = [
  email.withConfig({ config: { host: "localhost", from: "us@example.com" } }),
  github.withConfig({ auth: { token: "token" } }),
  http.withConfig(),
  s3.withConfig({ config: { bucket: "bucket" }, auth: { accessKeyId: "id", secretAccessKey: "key" } }),
  slack.withConfig({ auth: { token: "token" } }),
  sql.withConfig({ config: { url: "sqlite://:memory:" } }),
  configured,
] as const;
export const served = engine
  .define({ id: "served", services, secrets: { key: secret("env:KEY") } })
  .onWebhook("/served", { verify: verify.github({ secret: "secret" }) })
  .step("issue", (ctx) => ctx.services.github.createIssue({ owner: "o", repo: "r", title: ctx.secrets.key }))
  .forEach("each", [1], (_item, flow) =>
    flow
      .if(() => true)
      .step("is", (ctx) => ctx.services.s3.exists(String(ctx.item)))
      .endIf(),
  )
  .parallel([(flow) => flow.humanInTheLoop(), (flow) => flow.waitForEvent("paid", { timeout: "1s" })]);

export const withoutSecrets = engine
  .define({ id: "withoutSecrets", services: [http.withConfig()] })
  .step("get", (ctx) => ctx.services.http.get("https://example.com"));

// What else a module may export without saying its type.
export const verifiers = { ...verify, ours: verify.github({ secret: "secret" }) };
export const mounted = { node: engine.toNodeHandler(), fetch: engine.fetch, state: engine.state };
export const verbs = {
  trigger: (amount: number) => engine.trigger(manual, { id: "1", amount }),
  execute: (amount: number) => engine.execute(closedIf, { id: "1", amount }),
  publish: () => engine.publishEvent("paid"),
  inspect: (runId: string) => engine.inspect(runId),
  list: () => engine.list(),
  paused: () => engine.listPausedWorkflows(),
  schedules: () => engine.schedules(),
};
export const app = testApp(engine);
export const tests = {
  begun: served.test(),
  expected: () => served.test().expectStep("issue"),
  result: () => served.test().run(),
  run: () => app.run(closedIf),
  payload: generatePayload(order),
};
