import { expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { LIMITS } from "../../native/generated.ts";
import { answerOf, request, serving } from "./webhook.testing.ts";

/** The payload of the run that is started, or the issues. */
async function received(options: WebhookOptions, body: unknown, headers: Record<string, string> = {}) {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", options)
      .step("x", (ctx) => ({ payload: ctx.payload })),
  );
  const seen = await answerOf(engine.fetch(request("/w", body, headers)));
  if (seen.status !== 202) {
    expect(seen.status).toBe(400);
    expect(seen.body).toMatchObject({ error: { code: "payload_invalid", message: "The body is not valid." } });
    expect((await engine.list()).runs).toEqual([]);
    return { issues: (seen.body as { error: { issues: unknown } }).error.issues };
  }
  return engine.result((seen.body as { runId: string }).runId);
}

const issue = (message: string | RegExp): object => ({
  issues: [{ path: "$", message: typeof message === "string" ? message : expect.stringMatching(message) }],
});
const nested = (levels: number, inner = ""): string => "[".repeat(levels) + inner + "]".repeat(levels);

test.each<[string, unknown, object]>([
  ["an object", '{"a":1}', { payload: { a: 1 } }],
  ["nothing", "", {}],
  ["null", "null", { payload: null }],
  ["zero", "0", { payload: 0 }],
  ["an empty text", '""', { payload: "" }],
  ["false", "false", { payload: false }],
  ["a byte order mark", new Uint8Array([0xef, 0xbb, 0xbf, 0x31]), { payload: 1 }],
  ["what an object must not have by inheritance", '{"__proto__":{"a":1}}', { payload: { ["__proto__"]: { a: 1 } } }],
  ["brackets in texts", JSON.stringify("[{".repeat(500)), { payload: "[{".repeat(500) }],
  ["quotes and backslashes in texts", JSON.stringify(`\\"${"[".repeat(500)}`), { payload: `\\"${"[".repeat(500)}` }],
  ["many arrays side by side", `[${"[],".repeat(500)}[]]`, { payload: Array(501).fill([]) }],
])("takes %s", async (_what, body, payload) => {
  expect(await received({}, body)).toEqual(payload);
});

test("takes the deepest that can be recorded", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w")
      .step("x", () => {}),
  );
  expect((await engine.fetch(request("/w", nested(LIMITS.VALUE_DEPTH)))).status).toBe(202);
});

test.each<[string, unknown, object]>([
  ["what is no UTF-8", new Uint8Array([0x22, 0xff, 0x22]), issue("not UTF-8")],
  ["half a character", new Uint8Array([0x22, 0xc3, 0x22]), issue("not UTF-8")],
  ["a surrogate in UTF-8", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), issue("not UTF-8")],
  ["a lone surrogate", '{"a":["\\ud800"]}', issue(/\$\.a\[0\] is a string with a lone surrogate/)],
  ["a number without end", '{"a":1e999}', issue(/\$\.a is Infinity/)],
  ["half a value", '{"a":', issue("not JSON")],
  ["two values", "{}{}", issue("not JSON")],
  ["NaN", "NaN", issue("not JSON")],
  ["spaces", "  ", issue("not JSON")],
  ["one level too many", nested(LIMITS.VALUE_DEPTH + 1), issue("nested deeper than 128 levels")],
  ["a hundred thousand levels", nested(100_000), issue("nested deeper than 128 levels")],
  ["half a million levels without end", "[".repeat(500_000), issue("nested deeper than 128 levels")],
  ["objects without end", '{"a":'.repeat(100_000), issue("nested deeper than 128 levels")],
])("refuses %s", async (_what, body, issues) => {
  expect(await received({}, body)).toEqual(issues);
});

const issues = [{ message: "wrong", path: ["items", { key: 2 }, "price"] }];
const schema = (validate: () => StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>) => ({
  "~standard": { version: 1 as const, vendor: "test", validate },
});

test("a schema may answer at once or later, and may be a function", async () => {
  const callable = Object.assign(
    () => {},
    schema(() => ({ value: { parsed: true } })),
  );
  for (const taking of [schema(async () => ({ value: { parsed: true } })), callable]) {
    expect(await received({ schema: taking }, {})).toEqual({ payload: { parsed: true } });
  }
  for (const refusing of [schema(() => ({ issues })), schema(async () => ({ issues }))]) {
    expect(await received({ schema: refusing }, {})).toEqual({
      issues: [{ path: "$.items[2].price", message: "wrong" }],
    });
  }
});

test("what a schema gives must be recordable, too", async () => {
  expect(await received({ schema: schema(() => ({ value: { n: 1n } })) }, {})).toEqual(issue(/\$\.n is a bigint/));
});

test.each<[string, () => unknown, object]>([
  ["true", () => true, { payload: {} }],
  ["nothing", () => undefined, { payload: {} }],
  ["true, later", async () => true, { payload: {} }],
  ["false", () => false, issue("not valid")],
  ["a text", () => "too late", issue("too late")],
  ["a text, later", async () => "too late", issue("too late")],
  ["an error", () => fail(new Error("too early")), issue("too early")],
  ["what is no error", () => fail("oh"), issue("oh")],
  ["an error, later", async () => fail(new Error("too early")), issue("too early")],
])("validate that answers %s", async (_what, verdict, answer) => {
  expect(await received({ validate: verdict as () => boolean }, {})).toEqual(answer);
});

function fail(thrown: unknown): never {
  throw thrown;
}

test("validate sees what the schema gives, and the request", async () => {
  let seen: unknown;
  const options: WebhookOptions = {
    schema: schema(() => ({ value: 7 })),
    validate(payload, request) {
      seen = [payload, request.headers.get("x-a")];
    },
  };
  await received(options, {}, { "x-a": "b" });
  expect(seen).toEqual([7, "b"]);
});

test("a function parses the bytes of any content type, before the schema", async () => {
  const options: WebhookOptions = {
    parseRawBody: (raw) => Object.fromEntries(new URLSearchParams(Buffer.from(raw).toString())),
  };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  expect(await received(options, "a=1&b=2", headers)).toEqual({ payload: { a: "1", b: "2" } });
  expect(await received({ parseRawBody: () => fail(new Error("no form")) }, "x", headers)).toEqual(issue("no form"));
  expect(await received({ parseRawBody: async () => "later" }, new Uint8Array([0xff]), headers)).toEqual({
    payload: "later",
  });
});

test("a middleware may have read the body by context.req", async () => {
  const reading: WebhookOptions = {
    middleware: [
      async (context, next) => {
        await context.req.json();
        await next();
      },
    ],
  };
  expect(await received(reading, { a: 1 })).toEqual({ payload: { a: 1 } });
  const long = { ...reading, maxBodyBytes: 3 };
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", long)
      .step("x", () => {}),
  );
  expect((await engine.fetch(request("/w", { a: 1 }))).status).toBe(413);
});
