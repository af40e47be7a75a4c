/** What calls are given at run time, where no compiler has looked at it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createCronflow, InvalidError, NotFoundError } from "cronflow-ffi";
import { testEngine } from "./testing/engines.ts";

const engine = createCronflow({ database: ":memory:" });
const workflow = engine.define({ id: "w" }).step("x", () => 1);
/** The engine without its types. */
// biome-ignore lint/suspicious/noExplicitAny: what is tested is what the compiler would refuse
const untyped = engine as any;
beforeAll(() => engine.start());
afterAll(() => engine.stop());

const WHOLE = "give a whole number from";
const DURATION = "is not a duration. Write";

test.each<[call: string, given: readonly unknown[], says: string]>([
  ["trigger", ["w", 1, { delay: "-1s" }], '`delay`: "-1s" is not a duration. Write'],
  ["execute", ["w", 1, { delay: "soon" }], `\`delay\`: "soon" ${DURATION}`],
  ["trigger", ["w", 1, { delay: Number.NaN }], `\`delay\`: NaN ${DURATION}`],
  ["trigger", ["w", 1, { delay: 5n }], `\`delay\`: 5n ${DURATION}`],
  ["trigger", ["w", 1, { delay: null }], `\`delay\`: null ${DURATION}`],
  ["trigger", ["w", 1, { priority: 101 }], "`priority` is 101; give a whole number from -100 to 100."],
  ["trigger", ["w", 1, { priority: -1_000 }], `\`priority\` is -1000; ${WHOLE}`],
  ["trigger", ["w", 1, { priority: "high" }], `\`priority\` is "high"; ${WHOLE}`],
  ["trigger", ["w", 1, { idempotencyKey: 5 }], "`idempotencyKey` is 5; give a text."],
  ["trigger", ["w", 1, { idempotencyKey: "\ud800" }], "`idempotencyKey` is"],
  ["trigger", ["w", 1, null], "the options of the call: null is given; give an object."],
  ["trigger", ["w", 1, "1s"], 'the options of the call: "1s" is given'],
  ["list", [null], "the options of the call: null"],
  ["list", [{ limit: 0 }], "`limit` is 0; give a whole number from 1 to 1000."],
  ["list", [{ limit: 1_001 }], `\`limit\` is 1001; ${WHOLE}`],
  ["list", [{ limit: Number.NaN }], `\`limit\` is NaN; ${WHOLE}`],
  ["list", [{ limit: "10" }], `\`limit\` is "10"; ${WHOLE}`],
  ["list", [{ since: new Date(Number.NaN) }], "`since` is an invalid Date; give a Date, or milliseconds since 1970."],
  ["list", [{ since: "yesterday" }], '`since` is "yesterday"'],
  ["list", [{ status: "done" }], '`status` is "done"; give one of pending, running'],
  ["list", [{ workflowId: 5 }], "`workflowId` is 5; give a text."],
  ["list", [{ cursor: 5 }], "`cursor` is 5; give a text."],
  ["listPausedWorkflows", [{ limit: 1.5 }], `\`limit\` is 1.5; ${WHOLE}`],
  ["listPausedWorkflows", [{ workflowId: 5 }], "`workflowId` is 5"],
  ["schedules", [{ workflowId: 5 }], "`workflowId` is 5"],
  ["getPausedWorkflow", [undefined], "`token` is undefined; give a text."],
  ["resume", [undefined, {}], "`token` is undefined; give a text."],
  ["resume", ["token", null], "the answer of the call: null is given; give an object."],
  ["resume", ["token", { approved: "no" }], '`approved` is "no"; give true or false.'],
  ["inspect", [undefined], "`runId` is undefined; give a text."],
  ["result", [5], "`runId` is 5; give a text."],
  ["cancelRun", [undefined], "`runId` is undefined"],
  ["retryRun", [undefined], "`runId` is undefined"],
  ["replay", [undefined], "`runId` is undefined"],
  ["replay", ["run_0000000000000", { fromStep: 5 }], "`fromStep` is 5"],
  ["replay", ["run_0000000000000", { mockStep: 5 }], "`mockStep` of the call: 5 is given; give an object."],
  ["publishEvent", [undefined, 1], "`name` is undefined; give a text."],
  ["emit", [5], "`name` is 5; give a text."],
  ["pause", [undefined], "`workflowId` is undefined; give a text."],
  ["unpause", [undefined], "`workflowId` is undefined; give a text."],
  ["state.set", [undefined, 1], "the key of a value in the state is undefined; give a text."],
  ["state.get", [5], "the key of a value in the state is 5; give a text."],
  ["state.incr", [null], "the key of a value in the state is null; give a text."],
  ["state.delete", [undefined], "the key of a value in the state is undefined; give a text."],
  ["stop", [{ timeout: "x" }], `"x" ${DURATION}`],
])("%s(%p) is refused as every wrong call is", async (call, given, says) => {
  const [name = "", method] = call.split(".");
  const called = method === undefined ? untyped[name](...given) : untyped[name][method](...given);
  const error = await called.then(
    () => "nothing is wrong",
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(InvalidError);
  expect(error).toMatchObject({ code: "value_invalid", kind: "invalid", message: expect.stringContaining(says) });
  expect(await engine.execute(workflow)).toBe(1);
});

test("what is no workflow is not found", async () => {
  for (const given of [null, undefined, 5, {}]) {
    await expect(untyped.trigger(given, 1)).rejects.toBeInstanceOf(NotFoundError);
  }
});

test("an answer that has nothing to say is one", async () => {
  await expect(untyped.resume("token", { toJSON: () => undefined })).rejects.toBeInstanceOf(NotFoundError);
  expect(await engine.execute(workflow)).toBe(1);
});

test("a length of time and a moment that functions give are as wrong as those that are written", async () => {
  const own = testEngine();
  own.define({ id: "sleep" }).sleep(() => "soon");
  own.define({ id: "until" }).sleepUntil(() => "tomorrow");
  own.define({ id: "number" }).sleepUntil((): never => null as never);
  // biome-ignore lint/suspicious/noExplicitAny: what the compiler would refuse
  own.define({ id: "key" }).step("x", (ctx) => (ctx.state as any).set(undefined, 1));
  own.define({ id: "ttl" }).step("x", (ctx) => ctx.state.set("k", 1, { ttl: "-1s" }));
  await own.start();
  for (const [id, says] of [
    ["sleep", `"soon" ${DURATION}`],
    ["until", '"tomorrow" is not a moment. Give'],
    ["number", "null is not a moment. Give"],
    ["key", "the key of a value in the state is undefined"],
    ["ttl", `"-1s" ${DURATION}`],
  ] as const) {
    const error = { name: "InvalidError", code: "value_invalid", message: expect.stringContaining(says) };
    await expect(own.execute(id)).rejects.toMatchObject({ error });
  }
  await expect(own.state.set("k", 1, { ttl: "-1s" })).rejects.toBeInstanceOf(InvalidError);
});
