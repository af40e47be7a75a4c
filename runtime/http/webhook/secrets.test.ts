/** Who sends what has a secret in it hears what others hear whose input is not valid, and nothing of the secret. */
import { expect, test } from "bun:test";
import { type Cronflow, secret } from "cronflow-ffi";
import { z } from "zod";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { answerOf, recordingLog, request, type Seen, serving } from "./webhook.testing.ts";

const SECRET = `webhook-${crypto.randomUUID()}`;
process.env["CRONFLOW_TEST_WEBHOOK"] = SECRET;
const NAME = "secret(env:CRONFLOW_TEST_WEBHOOK)";

type Told = Omit<Seen, "headers">;

interface Case {
  readonly options?: WebhookOptions;
  /** What has the value in it. */
  readonly body: (value: string) => unknown;
  readonly headers?: (value: string) => Record<string, string>;
  /** The answer to other input of the kind that is not valid. */
  readonly like: () => Promise<Told>;
  /** What is logged. */
  readonly logged: string;
}

const secrets = { password: secret("env:CRONFLOW_TEST_WEBHOOK") };

function define(engine: Cronflow, options: WebhookOptions = {}): void {
  const key = (payload: unknown): string => {
    const { parts } = (payload ?? {}) as { parts?: readonly string[] };
    return parts === undefined ? "none" : parts.join("");
  };
  engine
    .define({ id: "w", concurrency: { limit: 1, key }, secrets })
    .onWebhook("/w", { verify: "none", ...options })
    .step("x", () => {});
}

/** The answer of a webhook with these options to input that has no secret in it. */
async function answered(options: WebhookOptions, body: unknown = {}, headers = {}): Promise<Told> {
  const engine = await serving((engine) => define(engine, options));
  const { status, body: said } = await answerOf(engine.fetch(request("/w", body, headers)));
  return { status, body: said };
}

const notValid = (): Promise<Told> => answered({ validate: () => false });
const echo = (value: unknown): string => `${JSON.stringify(value)} is none of ours`;

const CASES: Readonly<Record<string, Case>> = {
  "a payload": {
    body: (value) => ["guess", value],
    like: notValid,
    logged: `the payload cannot be recorded: it has the value of ${NAME}`,
  },
  "a name in a payload": { body: (value) => ({ [value]: 1 }), like: notValid, logged: NAME },
  "what validate repeats": {
    options: { validate: echo },
    body: (value) => JSON.stringify(value),
    like: notValid,
    logged: '"[secret]" is none of ours',
  },
  "what parseRawBody repeats": {
    options: {
      parseRawBody: (raw) => {
        throw new Error(echo(Buffer.from(raw).toString()));
      },
    },
    body: (value) => value,
    like: notValid,
    logged: "is none of ours",
  },
  "what a schema repeats": {
    options: { schema: z.string().refine(() => false, { error: ({ input }) => echo(input) }) },
    body: (value) => JSON.stringify(value),
    like: notValid,
    logged: '"[secret]" is none of ours',
  },
  "what the key of a limit puts together": {
    body: (value) => ({ parts: [value.slice(0, 10), value.slice(10)] }),
    like: notValid,
    logged: `the \`key\` of concurrency of workflow \`w\` cannot be recorded: it has the value of ${NAME}`,
  },
  "what the check of headers repeats": {
    options: { headers: { validate: (headers) => echo(headers.get("x-note")) } },
    body: () => ({}),
    headers: (value) => ({ "x-note": value }),
    like: async () => ({
      status: 400,
      body: {
        error: {
          code: "headers_invalid",
          message: "The headers are not valid.",
          issues: [{ path: "$", message: "not valid" }],
        },
      },
    }),
    logged: '"[secret]" is none of ours',
  },
  "an idempotency key": {
    options: { idempotencyKey: ({ headers }) => headers.get("x-key") },
    body: () => ({}),
    headers: (value) => ({ "x-key": value }),
    like: () => answered({ idempotencyKey: () => "k".repeat(513) }),
    logged: `the idempotency key cannot be recorded: it has the value of ${NAME}`,
  },
};

test.each(Object.entries(CASES))("%s", async (_what, { options, body, headers, like, logged }) => {
  const { lines, log } = recordingLog();
  const told: unknown[] = [];
  const onError = (error: unknown): void => void told.push(error);
  const engine = await serving((engine) => define(engine, { ...options, onError }), {
    log,
    production: true,
    auth: "a-token-that-nobody-guesses",
  });
  const { status, body: said } = await answerOf(engine.fetch(request("/w", body(SECRET), headers?.(SECRET))));
  expect({ status, body: said }).toEqual(await like());
  expect(told).toHaveLength(1);
  expect((await engine.list()).runs).toEqual([]);
  const warned = lines.filter((line) => line.startsWith("warn POST /w: a request was refused: "));
  expect(warned).toEqual([expect.stringContaining(logged)]);
  expect(lines.join()).not.toContain(SECRET);
});

test("a secret that is not recorded is no reason to refuse: a schema may leave it out", async () => {
  const options: WebhookOptions = {
    schema: z.object({ token: z.literal(SECRET), text: z.string() }).transform(({ text }) => text),
  };
  const engine = await serving((engine) => define(engine, options));
  expect((await engine.fetch(request("/w", { token: SECRET, text: "hello" }))).status).toBe(202);
});
