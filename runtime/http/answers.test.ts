/** No answer shows a secret that the process has read, whoever has put it there. */
import { expect, test } from "bun:test";
import { type Cronflow, type Logger, secret, type WebhookOptions } from "cronflow-ffi";
import { Hono } from "hono";
import { z } from "zod";
import { testEngine } from "../testing/engines.ts";
import { refuse } from "./answers.ts";

process.env["CRONFLOW_TEST_ANSWERS"] = "nobody-shows-this-0123456789";
const SECRET = secret("env:CRONFLOW_TEST_ANSWERS").reveal();
const TOKEN = "token-of-tests-0123456789";

async function serving(define: (engine: Cronflow) => unknown): Promise<Cronflow> {
  const log: Logger = { debug() {}, info() {}, warn() {}, error() {} };
  const engine = testEngine({ auth: TOKEN, log });
  define(engine);
  await engine.start();
  return engine;
}

async function refusal(engine: Cronflow, path: string, body: object): Promise<[number, string]> {
  const request = new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(body),
  });
  const response = await engine.fetch(request);
  return [response.status, await response.text()];
}

const told = `must be ${SECRET}`;

test.each<[string, WebhookOptions]>([
  ["a schema", { schema: z.object({ key: z.literal(SECRET) }) }],
  ["the name of a field", { schema: z.object({ [SECRET]: z.string() }) }],
  ["validate", { validate: () => told }],
  [
    "validate that throws",
    {
      validate: () => {
        throw new Error(told);
      },
    },
  ],
  ["headers.validate", { headers: { validate: () => told } }],
  [
    "parseRawBody",
    {
      parseRawBody: () => {
        throw new Error(told);
      },
    },
  ],
])("%s of a webhook may name one", async (_what, options) => {
  const engine = await serving((engine) =>
    engine
      .define({ id: "w" })
      .onWebhook("/w", options)
      .step("x", () => 1),
  );
  const [status, text] = await refusal(engine, "/w", {});
  expect(status).toBe(400);
  expect(text).not.toContain(SECRET);
});

test("so may the schema of what management starts or publishes, and what is asked for", async () => {
  const schema = z.object({ key: z.literal(SECRET) });
  const engine = await serving((engine) => {
    engine
      .define({ id: "starts" })
      .manual({ schema })
      .step("x", () => 1);
    engine
      .define({ id: "listens" })
      .onEvent("told", { schema })
      .step("x", () => 1);
  });
  for (const [path, body, expected] of [
    ["/cronflow/workflows/starts/trigger", { payload: {} }, 400],
    [`/cronflow/workflows/${SECRET}/trigger`, {}, 404],
    ["/cronflow/events/told", {}, 202],
  ] as const) {
    const [status, text] = await refusal(engine, path, body);
    expect([path, status]).toEqual([path, expected]);
    expect(text).not.toContain(SECRET);
    expect(text).toContain("[secret]");
  }
});

test("a refusal has no secret in its message, its issues or their places", async () => {
  const app = new Hono().get("/", (context) =>
    refuse(context, 400, "some_code", told, {}, { issues: [{ path: `$.${SECRET}`, message: told }] }),
  );
  const message = "must be [secret]";
  expect(await (await app.request("/")).json()).toEqual({
    error: { code: "some_code", message, issues: [{ path: "$.[secret]", message }] },
  });
});
