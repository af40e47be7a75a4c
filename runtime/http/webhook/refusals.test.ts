import { expect, test } from "bun:test";
import { InvalidError, type WorkflowOptions } from "cronflow-ffi";
import { z } from "zod";
import { LIMITS } from "../../native/generated.ts";
import { github } from "../verify/github.ts";
import { answerOf, recordingLog, request, serving } from "./webhook.testing.ts";

const SECRET = "a secret";

function signed(text: string): Record<string, string> {
  return { "x-hub-signature-256": `sha256=${new Bun.CryptoHasher("sha256", SECRET).update(text).digest("hex")}` };
}

function refusal(code: string, message: string, issues?: readonly object[]): object {
  return { error: { code, message, ...(issues && { issues }) } };
}

const unsupported = (message: string): object => refusal("unsupported_media_type", message);
const invalidBody = (message: string, path = "$"): object =>
  refusal("payload_invalid", "The body is not valid.", [{ path, message }]);

interface Case {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly status: number;
  readonly answer: object;
  readonly answerHeaders?: Readonly<Record<string, string>>;
}

const get405 = { status: 405, answer: refusal("method_not_allowed", "Use POST."), answerHeaders: { allow: "POST" } };

/** In the order in which they are looked for: each request is also wrong in ways that are looked for later. */
const CASES: Readonly<Record<string, Case>> = {
  GET: { path: "/all", method: "GET", ...get405 },
  OPTIONS: { path: "/all", method: "OPTIONS", ...get405 },
  "a method that nobody knows": { path: "/all", method: "PROPFIND", ...get405 },
  "one of two methods": {
    path: "/two",
    method: "DELETE",
    status: 405,
    answer: refusal("method_not_allowed", "Use POST, PUT."),
    answerHeaders: { allow: "POST, PUT" },
  },
  "another content type": {
    path: "/all",
    headers: { "content-type": "text/plain" },
    body: "x".repeat(200),
    status: 415,
    answer: unsupported("Send JSON, with the content type application/json."),
  },
  "what only ends like JSON": {
    path: "/all",
    headers: { "content-type": "+json" },
    status: 415,
    answer: unsupported("Send JSON, with the content type application/json."),
  },
  "another character set": {
    path: "/all",
    headers: { "content-type": "application/json; charset=iso-8859-1" },
    status: 415,
    answer: unsupported("Send JSON, with the content type application/json."),
  },
  "a compressed body": {
    path: "/all",
    headers: { "content-encoding": "gzip" },
    status: 415,
    answer: unsupported("Send the body as it is, without a content encoding."),
    answerHeaders: { "accept-encoding": "identity" },
  },
  "a body whose length is announced as too much": {
    path: "/all",
    headers: { "content-length": "101" },
    status: 413,
    answer: refusal("body_too_large", "The body is larger than this webhook takes."),
    answerHeaders: { connection: "close" },
  },
  "a body that is longer than announced": {
    path: "/all",
    headers: { "content-length": "1" },
    body: "x".repeat(101),
    status: 413,
    answer: refusal("body_too_large", "The body is larger than this webhook takes."),
  },
  "a body that turns out to be too long": {
    path: "/all",
    body: "x".repeat(101),
    status: 413,
    answer: refusal("body_too_large", "The body is larger than this webhook takes."),
  },
  "no signature": {
    path: "/all",
    body: "{",
    status: 401,
    answer: refusal("signature_invalid", "The signature is not valid."),
  },
  "a wrong signature": {
    path: "/all",
    body: "{",
    headers: signed("}"),
    status: 401,
    answer: refusal("signature_invalid", "The signature is not valid."),
  },
  "missing and wrong headers": {
    path: "/all",
    body: "{",
    headers: { ...signed("{"), "x-version": "1" },
    status: 400,
    answer: refusal("headers_invalid", "The headers are not valid.", [
      { path: "headers.x-source", message: "missing" },
      { path: "headers.x-version", message: "not as expected" },
    ]),
  },
  "headers that the user's function refuses": {
    path: "/all",
    body: "{",
    headers: { ...signed("{"), "x-source": "bad", "x-version": "v2" },
    status: 400,
    answer: refusal("headers_invalid", "The headers are not valid.", [{ path: "headers", message: "a bad source" }]),
  },
  "what is no JSON": {
    path: "/all",
    body: "{",
    headers: { ...signed("{"), "x-source": "s", "x-version": "v2" },
    status: 400,
    answer: invalidBody("not JSON"),
  },
  "what the schema refuses": {
    path: "/all",
    body: '{"amount":"x"}',
    headers: { ...signed('{"amount":"x"}'), "x-source": "s", "x-version": "v2" },
    status: 400,
    answer: invalidBody("Invalid input: expected number, received string", "$.amount"),
  },
  "what validate refuses": {
    path: "/all",
    body: '{"amount":0}',
    headers: { ...signed('{"amount":0}'), "x-source": "s", "x-version": "v2" },
    status: 400,
    answer: invalidBody("nothing to pay"),
  },
  "what the condition does not want": {
    path: "/all",
    body: '{"amount":1}',
    headers: { ...signed('{"amount":1}'), "x-source": "s", "x-version": "v2" },
    status: 200,
    answer: { skipped: true },
  },
  "an empty idempotency key": {
    path: "/all",
    body: '{"amount":2}',
    headers: { ...signed('{"amount":2}'), "x-source": "s", "x-version": "v2", "x-key": "" },
    status: 400,
    answer: refusal("text_invalid", "The idempotency key is not valid."),
  },
  "an idempotency key that is too long": {
    path: "/all",
    body: '{"amount":2}',
    headers: { ...signed('{"amount":2}'), "x-source": "s", "x-version": "v2", "x-key": "k".repeat(513) },
    status: 400,
    answer: refusal("text_invalid", "The idempotency key is not valid."),
  },
  "another path": { path: "/none", status: 404, answer: refusal("not_found", "There is nothing here.") },
};

test.each(Object.entries(CASES))("refuses %s", async (_what, sent) => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "all" })
      .onWebhook("/all", {
        maxBodyBytes: 100,
        verify: github({ secret: SECRET }),
        headers: {
          required: { "X-Source": /^./, "x-version": "v2" },
          validate: (headers) => headers.get("x-source") !== "bad" || "a bad source",
        },
        schema: z.object({ amount: z.number() }),
        validate: ({ amount }) => amount > 0 || "nothing to pay",
        condition: ({ amount }) => amount > 1,
        idempotencyKey: (request) => request.headers.get("x-key"),
      })
      .step("x", () => {});
    engine
      .define({ id: "two" })
      .onWebhook("/two")
      .step("x", () => {});
    engine
      .define({ id: "other" })
      .onWebhook("/two", { method: "PUT" })
      .step("x", () => {});
  });
  const { path, body, headers, method, status, answer, answerHeaders = {} } = sent;
  const seen = await answerOf(engine.fetch(request(path, body, headers, method)));
  expect(seen).toMatchObject({ status, body: answer });
  expect(seen.headers.get("content-type")).toBe("application/json");
  for (const [name, value] of Object.entries(answerHeaders)) expect(seen.headers.get(name)).toBe(value);
  expect((await engine.list()).runs).toEqual([]);
});

test("HEAD is refused without a body", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w")
      .step("x", () => {}),
  );
  const seen = await answerOf(engine.fetch(request("/w", {}, {}, "HEAD")));
  expect([seen.status, seen.body, seen.headers.get("allow")]).toEqual([405, undefined, "POST"]);
});

test.each(["application/json; charset=UTF-8", 'application/json;charset="utf-8"', "application/vnd.github+json"])(
  "takes %s",
  async (contentType) => {
    const engine = await serving((engine) =>
      engine
        .define({ id: "w" })
        .onWebhook("/w")
        .step("x", () => {}),
    );
    expect((await engine.fetch(request("/w", {}, { "content-type": contentType }))).status).toBe(202);
  },
);

test("a body in pieces is cut off at the limit, and the rest not read", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { maxBodyBytes: 100 })
      .step("x", () => {}),
  );
  const piece = new TextEncoder().encode("x".repeat(60));
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const body = new ReadableStream({ pull: (controller) => controller.enqueue(piece), cancel: () => resolve() });
  expect((await engine.fetch(request("/w", body))).status).toBe(413);
  await cancelled;
});

test("a body that breaks off is the sender's matter", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w")
      .step("x", () => {}),
  );
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("{"));
      controller.error(new Error("gone"));
    },
  });
  expect(await answerOf(engine.fetch(request("/w", body)))).toMatchObject({
    status: 400,
    body: refusal("body_incomplete", "The body did not arrive as a whole."),
  });
});

test("answers 503 with Retry-After when the engine is stopped", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w")
      .step("x", () => {}),
  );
  await engine.stop();
  const seen = await answerOf(engine.fetch(request("/w")));
  expect(seen).toMatchObject({
    status: 503,
    body: refusal("closed", "The engine cannot take this now; nothing was started."),
  });
  expect(seen.headers.get("retry-after")).toBe("1");
});

test.each<[string, object]>([
  ["a schema", { schema: { "~standard": { version: 1, vendor: "test", validate: fail } } }],
  ["the condition", { condition: fail }],
  ["the idempotency key", { idempotencyKey: fail }],
  ["an idempotency key that is no text", { idempotencyKey: () => 7 }],
  ["a verifier", { verify: fail }],
  ["a verifier's secret", { verify: github({ secret: () => "" }) }],
  ["an unnamed delivery", { verify: () => ({ ok: true, deliveryId: "" }) }],
])("answers 500 without details, and starts nothing, when %s fails", async (_what, options) => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", options)
      .step("x", () => {}),
  );
  const headers = { "x-hub-signature-256": `sha256=${"0".repeat(64)}` };
  expect(await answerOf(engine.fetch(request("/w", {}, headers)))).toMatchObject({
    status: 500,
    body: refusal("internal_error", "The request failed; nothing was started, and the log says why."),
  });
  expect((await engine.list()).runs).toEqual([]);
});

test.each<[string, WorkflowOptions]>([
  ["concurrency", { id: "w", concurrency: { limit: 1, key: tenantOf } }],
  ["rateLimit", { id: "w", rateLimit: { count: 1, per: "1s", key: tenantOf } }],
])(
  "the `key` of %s that cannot take a payload is the workflow's fault, and the schema says whose else",
  async (option, limited) => {
    const { lines, log } = recordingLog();
    const engine = await serving(
      (engine) => {
        engine
          .define(limited)
          .onWebhook("/w")
          .onWebhook("/strict", { schema: z.object({ tenant: z.string() }) })
          .step("x", () => {});
      },
      { log },
    );
    expect(await answerOf(engine.fetch(request("/w", {})))).toMatchObject({
      status: 500,
      body: refusal("internal_error", "The request failed; nothing was started, and the log says why."),
    });
    expect(lines.filter((line) => line.startsWith("error POST /w failed"))).toEqual([
      expect.stringContaining(`The \`key\` of ${option} of workflow \`w\` gave undefined instead of a text.`),
    ]);
    expect(await answerOf(engine.fetch(request("/strict", {})))).toMatchObject({
      status: 400,
      body: invalidBody("Invalid input: expected string, received undefined", "$.tenant"),
    });
    expect((await engine.list()).runs).toEqual([]);
    expect((await engine.fetch(request("/w", { tenant: "t" }))).status).toBe(202);
  },
);

function tenantOf({ tenant }: { tenant: string }): string {
  return tenant;
}

test("a body that is to be recorded as text, too, may be too large for that", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { parseRawBody: true, maxBodyBytes: 64 << 20, schema: z.any().transform(() => 1) })
      .step("x", () => {}),
  );
  expect(await answerOf(engine.fetch(request("/w", `"${"x".repeat(LIMITS.VALUE_BYTES)}"`)))).toMatchObject({
    status: 400,
    body: invalidBody("too large to be recorded"),
  });
});

test("half a character in a key or a delivery id is no character, and no malformed command", async () => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/key", { idempotencyKey: () => "key \ud800" })
      .onWebhook("/delivery", { verify: () => ({ ok: true, deliveryId: "id \ud800" }) })
      .step("x", () => {}),
  );
  for (const path of ["/key", "/delivery"]) {
    expect((await engine.fetch(request(path))).status).toBe(202);
    expect((await engine.fetch(request(path))).status).toBe(200);
  }
});

function fail(): never {
  throw new InvalidError("value_invalid", "the password is 1234");
}

test.each<[string, () => unknown]>([
  ["false", () => false],
  ["a reason", () => ({ ok: false, reason: "unknown" })],
  ["nothing", () => undefined],
  ["null", () => null],
  ["a text", () => "yes"],
  ["an object", () => ({})],
  ["false, later", async () => false],
])("a verifier that answers %s lets nobody in", async (_what, verdict) => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", { verify: verdict as () => boolean })
      .step("x", () => {}),
  );
  expect((await engine.fetch(request("/w"))).status).toBe(401);
});
