/** The same requests in every framework: what cronflow promises does not depend on where it is mounted. */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { type Cronflow, hmac } from "cronflow-ffi";
import { z } from "zod";
import { testEngine } from "../../testing/engines.ts";
import { bunHosts } from "./bun.testing.ts";
import { elysiaHosts } from "./elysia.testing.ts";
import { expressHosts } from "./express.testing.ts";
import { fastifyHosts } from "./fastify.testing.ts";
import { honoHosts } from "./hono.testing.ts";
import type { App, Host, Middleware } from "./host.testing.ts";
import { koaHosts } from "./koa.testing.ts";
import { nextHosts } from "./next.testing.ts";
import { nodeHosts } from "./node.testing.ts";

const HOSTS = [
  ...nodeHosts,
  ...expressHosts,
  ...fastifyHosts,
  ...koaHosts,
  ...bunHosts,
  ...honoHosts,
  ...elysiaHosts,
  ...nextHosts,
];

const SECRET = "a secret";
const TOKEN = "token-of-tests-0123456789";
const QUIET: Middleware = { before() {}, after() {} };

/** An app with cronflow in it. */
interface Opened {
  readonly engine: Cronflow;
  readonly app: App;
  /** Sends JSON to a webhook. */
  readonly post: (path: string, body: Body, headers?: Record<string, string>) => Promise<Response>;
}

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream;

async function opened({ open, prefix, written }: Host, middleware: Partial<Middleware> = {}): Promise<Opened> {
  const engine = testEngine({ auth: TOKEN });
  engine
    .define({ id: "orders" })
    .onWebhook(`${written}/orders/:name`, {
      schema: z.object({ amount: z.number() }),
      idempotencyKey: (request) => request.headers.get("x-key"),
      maxBodyBytes: 1_000,
    })
    .step("x", ({ payload, trigger }) => ({ ...payload, params: trigger.params, query: trigger.query }));
  engine
    .define({ id: "signed" })
    .onWebhook(`${written}/signed`, { verify: hmac({ header: "x-signature", secret: SECRET }) })
    .step("x", (ctx) => ctx.payload);
  engine
    .define({ id: "bytes" })
    .onWebhook(`${written}/bytes`, { parseRawBody: (raw) => Buffer.from(raw).toString("hex") })
    .step("x", (ctx) => ctx.payload);
  await engine.start();
  const app = await open(engine, { ...QUIET, ...middleware });
  return {
    engine,
    app,
    post: (path, body, headers = {}) =>
      app.send(`${prefix}${written}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body,
      }),
  };
}

/** The output of the run that an answer names. */
async function outputOf(engine: Cronflow, answer: Response): Promise<unknown> {
  return engine.result(((await answer.json()) as { runId: string }).runId);
}

function sign(body: string): Record<string, string> {
  return { "x-signature": createHmac("sha256", SECRET).update(body).digest("hex") };
}

function inPieces(bytes: Uint8Array, size: number): ReadableStream {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(sent, sent + size));
      sent += size;
      if (sent >= bytes.length) controller.close();
    },
  });
}

describe.each(HOSTS.map((host) => [host.name, host] as const))("%s", (_name, host) => {
  const at = (path: string): string => `${host.prefix}${path}`;

  test("a request starts a run, with the parts of its path and its query", async () => {
    const { engine, post } = await opened(host);
    const answer = await post("/orders/caf%C3%A9%20%2F1?from=a&from=%26&to=", '{"amount":5}');
    expect(answer.status).toBe(202);
    expect(await outputOf(engine, answer)).toEqual({
      amount: 5,
      params: { name: "café /1" },
      query: { from: ["a", "&"], to: "" },
    });
  });

  test("a signature is checked over the bytes that were sent", async () => {
    const { engine, post } = await opened(host);
    const body = '\r\n\t{ "naïve" : "☃\\u2028",\n"n":1.0e2 , "n":100 } \n';
    const answer = await post("/signed", body, sign(body));
    expect(answer.status).toBe(202);
    expect(await outputOf(engine, answer)).toEqual({ naïve: "☃\u2028", n: 100 });
    const other = await post("/signed", body, sign(JSON.stringify(JSON.parse(body))));
    expect([other.status, await other.json()]).toMatchObject([401, { error: { code: "signature_invalid" } }]);
  });

  test("a body arrives byte for byte, also in pieces", async () => {
    const { engine, post } = await opened(host);
    const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    for (const body of [bytes, inPieces(bytes, 70_000)]) {
      const answer = await post("/bytes", body, { "content-type": "application/octet-stream" });
      expect(answer.status).toBe(202);
      expect(await outputOf(engine, answer)).toBe(Buffer.from(bytes).toString("hex"));
    }
  });

  test("a key that is sent again finds its run, and a conflict with another body", async () => {
    const { post } = await opened(host);
    const headers = { "x-key": "one" };
    const answers = [
      await post("/orders/a", '{"amount":5}', headers),
      await post("/orders/a", '{"amount":5}', headers),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 200]);
    const [first, second] = await Promise.all(answers.map((answer) => answer.json()));
    expect(second).toEqual(first);
    expect((await post("/orders/a", '{"amount":6}', headers)).status).toBe(409);
  });

  test("what is wrong is refused, and starts nothing", async () => {
    const { engine, app, post } = await opened(host);
    const wrong = await post("/orders/a", '{"amount":"5"}');
    expect([wrong.status, await wrong.json()]).toMatchObject([
      400,
      { error: { code: "payload_invalid", issues: [{ path: "$.amount" }] } },
    ]);
    expect((await post("/orders/a", "5", { "content-type": "text/plain" })).status).toBe(415);
    const large = new TextEncoder().encode(JSON.stringify({ amount: 5, filler: "x".repeat(2_000) }));
    for (const body of [large, inPieces(large, 500)]) {
      const refused = await post("/orders/a", body);
      expect([refused.status, await refused.json()]).toMatchObject([413, { error: { code: "body_too_large" } }]);
    }
    const get = await app.send(at(`${host.written}/orders/a`));
    expect([get.status, get.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await post("/none", "{}")).status).toBe(404);
    expect((await engine.list()).runs).toEqual([]);
  });

  test("management asks for the token, and works", async () => {
    const { engine, app } = await opened(host);
    const trigger = (headers: Record<string, string>): Promise<Response> =>
      app.send(at("/cronflow/workflows/signed/trigger"), {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: '{"payload":"☃"}',
      });
    expect([(await app.send(at("/cronflow/runs"))).status, (await trigger({})).status]).toEqual([401, 401]);
    const right = { authorization: `Bearer ${TOKEN}` };
    expect(await outputOf(engine, await trigger(right))).toBe("☃");
    const list = await app.send(at("/cronflow/runs"), { headers: right });
    expect([list.status, await list.json()]).toMatchObject([200, { runs: [{ workflowId: "signed" }] }]);
  });

  test("health is answered", async () => {
    const { app } = await opened(host);
    const health = await app.send(at("/health"));
    expect([health.status, await health.json()]).toEqual([200, { status: "ok" }]);
  });

  test("what is not cronflow's is the app's, with its body", async () => {
    const { app } = await opened(host);
    const own = await app.send("/own", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"snow":"☃"}',
    });
    expect([own.status, await own.json()]).toEqual([200, { snow: "☃" }]);
    expect((await app.send("/none", { method: "POST", body: "x" })).status).toBe(404);
  });

  const { late } = host;
  if (late === undefined) return;

  test("middleware that throws before is a 500, and nothing is started", async () => {
    const { engine, post } = await opened(host, { before: fail });
    expect((await post("/orders/a", '{"amount":5}')).status).toBe(500);
    expect((await engine.list()).runs).toEqual([]);
  });

  const begun = late.isStarted ? "a run is started" : "nothing is started";
  test(`middleware that throws after is a ${late.status}, and ${begun}: ${late.why}`, async () => {
    let failures = 1;
    const after = (): void => {
      if (failures-- > 0) fail();
    };
    const { engine, post } = await opened(host, { after });
    expect((await post("/orders/a", '{"amount":5}')).status).toBe(late.status);
    // What the first request was to start is committed with what the second has started.
    expect((await post("/orders/b", '{"amount":5}')).status).toBe(202);
    expect((await engine.list()).runs).toHaveLength(late.isStarted ? 2 : 1);
  });
});

function fail(): never {
  throw new Error("the app's own");
}
