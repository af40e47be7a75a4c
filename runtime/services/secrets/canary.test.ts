/** A secret that is given away in every way there is, and is found nowhere afterwards. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineService, type Emit, type Logger, secret } from "cronflow-ffi";
import { z } from "zod";
import { temporaryDirectory, testEngine } from "../../testing/engines.ts";

/** With all that is written otherwise in JSON and in addresses. */
const CANARY = `canary "${crypto.randomUUID()}" \\ & ü\n7`;
process.env["CRONFLOW_TEST_CANARY"] = CANARY;
const TOKEN = "a-token-of-this-test";

/** What cannot be missed: the middle of the secret, which nothing writes otherwise. */
const [PART = ""] = /[0-9a-f-]{36}/.exec(CANARY) ?? [];

const leaky = defineService({
  id: "leaky",
  schema: { auth: z.object({ token: z.string() }) },
  setup: ({ auth: { token }, log, signal }) => {
    log.info(`set up with ${token}`);
    return {
      actions: {
        gives: () => ({ deep: [{ token }] }),
        isKey: () => ({ [token]: 1 }),
        says: () => token,
        throwsError: () => {
          const cause = Object.assign(new TypeError(`cause ${token}`), {
            url: `https://x.test/${encodeURIComponent(token)}`,
          });
          throw Object.assign(new Error(`sent ${JSON.stringify({ token })}`, { cause }), {
            code: token,
            request: { headers: new Headers({ authorization: `Bearer ${encodeURIComponent(token)}` }) },
          });
        },
        throwsText: async () => {
          throw token;
        },
        throwsObject: () => {
          throw { token };
        },
      },
      triggers: {
        onLeak: (emit: Emit<unknown>) => {
          const told = emit({ token }).catch((error: unknown) => log.warn("refused", error));
          const named = emit(1, { id: token }).catch((error: unknown) => log.warn("refused", error));
          signal.addEventListener("abort", () => log.info("aborted", { token }));
          return Promise.all([told, named]).then(() => () => {
            throw new Error(`cannot end ${token}`);
          });
        },
      },
      health: () => {
        throw new Error(`ill with ${token}`);
      },
      stop: () => {
        throw new Error(`cannot stop ${token}`);
      },
    };
  },
}).withConfig({ auth: { token: secret("env:CRONFLOW_TEST_CANARY") } });

test("a secret is found in no file, no log line, no error, no answer", async () => {
  const lines: string[] = [];
  const line = (...all: unknown[]): void => void lines.push(Bun.inspect(all, { depth: 20 }), JSON.stringify(all));
  const log: Logger = { debug: line, info: line, warn: line, error: line };
  const directory = temporaryDirectory();
  const engine = testEngine({ database: join(directory, "test.db"), log, auth: TOKEN });
  const secrets = { token: secret("env:CRONFLOW_TEST_CANARY") };
  engine
    .define({
      id: "leaks",
      services: [leaky],
      secrets,
      hooks: { onFailure: (ctx) => ctx.log.error("failed", ctx.error, ctx.secrets.token) },
    })
    .onWebhook("/leaks", { respond: "result", parseRawBody: true })
    .onService(leaky, "onLeak")
    .action("logs", (ctx) => {
      ctx.log.info(`the secret is ${ctx.secrets.token}`, {
        token: ctx.secrets.token,
        all: new Map([["a", ctx.secrets.token]]),
      });
      ctx.log.warn("an error", new Error(`with ${ctx.services.leaky.says()}`, { cause: ctx.services.leaky.says() }));
    })
    .step("fails", (ctx) => {
      const { way } = ctx.payload as { way: string };
      const { leaky } = ctx.services;
      const { token } = ctx.secrets;
      switch (way) {
        case "state":
          return ctx.state.set("k", token);
        case "state key":
          return ctx.state.set(token, 1);
        case "cancel":
          return ctx.cancel(`because of ${token}`);
        case "own error":
          throw new RangeError(`it is ${token}`);
        default:
          return leaky[way as "gives"]();
      }
    });
  engine
    .define({ id: "cached", secrets })
    .step("x", () => 1)
    .cache({ key: (ctx) => `key ${ctx.secrets["token"]}`, ttl: "1h" });
  engine.define({ id: "limited", concurrency: { limit: 1, key: () => CANARY } }).step("x", () => 1);
  await engine.start();

  const outcomes: unknown[] = [];
  const kept = async (call: Promise<unknown>): Promise<void> => {
    outcomes.push(await call.then(Bun.inspect, (error: Error) => [Bun.inspect(error), error.stack, error.message]));
  };
  const ways = [
    "gives",
    "isKey",
    "says",
    "throwsError",
    "throwsText",
    "throwsObject",
    "state",
    "state key",
    "own error",
  ];
  for (const way of [...ways, "cancel"]) {
    const runId = await engine.trigger("leaks", { way });
    await kept(engine.result(runId));
    await kept(engine.inspect(runId));
    expect(await engine.inspect(runId)).toMatchObject({ status: way === "cancel" ? "cancelled" : "failed" });
  }
  await kept(engine.execute("cached"));
  await kept(engine.execute("limited"));
  await kept(engine.trigger("leaks", { token: CANARY }));
  await kept(engine.trigger("leaks", 1, { idempotencyKey: CANARY }));
  await kept(engine.publishEvent("told", [CANARY]));
  await expect(engine.publishEvent(CANARY)).rejects.toThrow("name of the event cannot be recorded");
  await kept(engine.state.set("k", CANARY));
  const waits = await engine.trigger("leaks", { way: "says" }, { delay: "1h" });
  await engine.cancelRun(waits, `no more ${CANARY}`);
  await kept(engine.inspect(waits));

  const post = async (body: unknown): Promise<void> => {
    const headers = { "content-type": "application/json", "x-note": encodeURIComponent(CANARY) };
    const address = `http://x/leaks?q=${encodeURIComponent(CANARY)}`;
    const answer = await engine.fetch(new Request(address, { method: "POST", headers, body: JSON.stringify(body) }));
    outcomes.push(await answer.text());
  };
  await post({ way: "throwsError" });
  await post({ token: CANARY });
  const headers = { authorization: `Bearer ${TOKEN}` };
  for (const path of ["/cronflow/metrics", "/cronflow/runs?limit=100", "/cronflow/workflows"]) {
    outcomes.push(await (await engine.fetch(new Request(`http://x${path}`, { headers }))).text());
  }
  await engine.stop();

  expect(JSON.stringify(outcomes)).not.toContain(PART);
  expect(lines.filter((text) => text.includes(PART))).toEqual([]);
  // It was there to be found: the mask stands where it was.
  expect(JSON.stringify(outcomes)).toContain("[secret]");
  for (const said of ["set up with", "the secret is", "cannot stop", "cannot end", "refused", "aborted"]) {
    expect(lines.some((text) => text.includes(said) && text.includes("secret"))).toBe(true);
  }
  const files = readdirSync(directory);
  expect(files).toContain("test.db");
  for (const file of files) expect(readFileSync(join(directory, file)).includes(PART)).toBe(false);
});

test("the database of a running engine has no secret in its log either", async () => {
  const directory = temporaryDirectory();
  const engine = testEngine({ database: join(directory, "test.db") });
  const workflow = engine.define({ id: "w", services: [leaky] }).step("x", (ctx) => ctx.services.leaky.throwsError());
  await engine.start();
  await expect(engine.execute(workflow)).rejects.toThrow("leaky.throwsError: sent");
  const files = readdirSync(directory);
  expect(files).toContain("test.db-wal");
  const contents = files.map((file) => readFileSync(join(directory, file)));
  // What the run has recorded is in there.
  expect(contents.some((content) => content.includes("leaky.throwsError"))).toBe(true);
  expect(contents.some((content) => content.includes(PART))).toBe(false);
});

test("what cannot be recorded because of a secret names where the secret is found", async () => {
  const engine = testEngine();
  const workflow = engine.define({ id: "w", services: [leaky] }).step("x", (ctx) => ctx.services.leaky.gives());
  await engine.start();
  await expect(engine.execute(workflow)).rejects.toMatchObject({
    error: {
      name: "InvalidError",
      code: "value_invalid",
      message:
        "the output of step `x` cannot be recorded: it has the value of secret(env:CRONFLOW_TEST_CANARY) in it. Leave the secret out.",
    },
  });
});

test("what the functions of a webhook throw is not told to its sender when there is a secret in it", async () => {
  const engine = testEngine();
  const leaks = (): never => {
    throw new Error(`not valid: ${CANARY}`);
  };
  for (const [id, options] of [
    ["validate", { validate: leaks }],
    ["parse", { parseRawBody: leaks }],
  ] as const) {
    engine
      .define({ id, services: [leaky] })
      .onWebhook(`/${id}`, options)
      .step("never", () => 1);
  }
  await engine.start();
  for (const id of ["validate", "parse"]) {
    const response = await engine.fetch(new Request(`http://localhost/${id}`, { method: "POST", body: "{}" }));
    const text = await response.text();
    expect([response.status, text.includes('"not valid"'), text.includes(PART)]).toEqual([400, true, false]);
  }
});
