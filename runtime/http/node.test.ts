import { expect, onTestFinished, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { type Cronflow, type EngineOptions, hmac, InvalidError, type WebhookOptions } from "cronflow-ffi";
import express from "express";
import Fastify from "fastify";
import { testEngine } from "../testing/engines.ts";
import { rawStatus } from "./auth/raw.testing.ts";
import { appAt, listening } from "./mounting/host.testing.ts";
import type { NodeHandler } from "./node.ts";
import { recordingLog } from "./webhook/webhook.testing.ts";

const TOKEN = "token-of-tests-0123456789";

/** A started engine with a webhook at `/w`. */
async function started(webhook: WebhookOptions = {}, options: EngineOptions = {}): Promise<Cronflow> {
  const engine = testEngine({ auth: TOKEN, ...options });
  engine
    .define({ id: "w" })
    .onWebhook("/w", webhook)
    .step("x", (ctx) => ctx.payload);
  await engine.start();
  return engine;
}

const JSON_POST = { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":1}' };

async function runCount(engine: Cronflow): Promise<number> {
  return (await engine.list()).runs.length;
}

async function portOf(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await listening(server);
  return (server.address() as AddressInfo).port;
}

test("a body that a parser has read is refused, which is logged once, and the parser's own routes work", async () => {
  const { lines, log } = recordingLog();
  const engine = await started({}, { log });
  const app = express();
  app.use(express.json());
  app.use(engine.toNodeHandler());
  app.post("/own", (request, response) => void response.json(request.body));
  const { send } = await listening(createServer(app));
  for (const path of ["/w", "/w", "/cronflow/workflows/w/trigger"]) {
    const answer = await send(path, JSON_POST);
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: "body_already_read" } }]);
  }
  const pieces = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("{}"));
      controller.close();
    },
  });
  expect((await send("/w", { ...JSON_POST, body: pieces })).status).toBe(400);
  expect(await runCount(engine)).toBe(0);
  expect(lines.filter((line) => line.includes("Mount cronflow before body parsers"))).toHaveLength(1);

  expect(await (await send("/own", JSON_POST)).json()).toEqual({ a: 1 });
  const runs = await send("/cronflow/runs", { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(runs.status).toBe(200);
  // Nothing was there to be read.
  expect((await send("/w", { method: "POST" })).status).toBe(202);
});

test("a parser that has kept the bytes leaves them to the webhook", async () => {
  const secret = "a secret";
  const engine = await started({ verify: hmac({ header: "x-signature", secret }) });
  const app = express();
  app.use(
    express.json({
      verify: (request, _response, bytes) => {
        (request as { rawBody?: Buffer }).rawBody = bytes;
      },
    }),
  );
  app.use(engine.toNodeHandler());
  const { send } = await listening(createServer(app));
  const body = '{ "naïve" : 1.0 }\r\n';
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  const headers = { "content-type": "application/json", "x-signature": signature };
  const answer = await send("/w", { method: "POST", headers, body });
  expect(answer.status).toBe(202);
  const { runId } = (await answer.json()) as { runId: string };
  expect(await engine.result(runId)).toEqual({ naïve: 1 });
});

test("in a handler of Fastify, which comes after its parsers, the body is refused", async () => {
  const engine = await started();
  const app = Fastify();
  const handler = engine.toNodeHandler();
  app.post("/w", (request, reply) => {
    reply.hijack();
    return handler(request.raw, reply.raw);
  });
  onTestFinished(() => app.close());
  const { send } = appAt(await app.listen({ port: 0, host: "127.0.0.1" }));
  const answer = await send("/w", JSON_POST);
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: "body_already_read" } }]);
});

test("nothing is started for a request that was answered before", async () => {
  const engine = await started();
  const handler = engine.toNodeHandler();
  let passed = 0;
  const { send } = await listening(
    createServer((request, response) => {
      response.writeHead(418).end();
      return handler(request, response, () => {
        passed += 1;
      });
    }),
  );
  expect((await send("/w", JSON_POST)).status).toBe(418);
  expect([passed, await runCount(engine)]).toEqual([1, 0]);
});

test("nothing is started for a request that is answered at once, as Express does when middleware throws", async () => {
  const engine = await started();
  const handler = engine.toNodeHandler();
  let isAnswered = true;
  const { send } = await listening(
    createServer((request, response) => {
      const handling = handler(request, response);
      if (isAnswered) response.writeHead(500).end();
      return handling;
    }),
  );
  expect((await send("/w", { method: "POST" })).status).toBe(500);
  isAnswered = false;
  // What the first request was to start would be committed before this.
  expect((await send("/w", { method: "POST" })).status).toBe(202);
  expect(await runCount(engine)).toBe(1);
});

test("without next, a path that is not there is a 404 like that of every host", async () => {
  const engine = await started();
  const { send } = await listening(createServer(engine.toNodeHandler()));
  const answer = await send("/none", JSON_POST);
  expect([answer.status, await answer.json()]).toEqual([
    404,
    { error: { code: "not_found", message: "There is nothing here." } },
  ]);
});

test("what next throws reaches who has called the handler", async () => {
  const engine = await started();
  const handler = engine.toNodeHandler();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const { send } = await listening(
    createServer(async (request, response) => {
      await handler(request, response, () => Promise.reject(new Error("of the app"))).catch(resolve);
      response.end();
    }),
  );
  await send("/none");
  expect(await promise).toEqual(new Error("of the app"));
});

test.each([
  ["a backslash in its path", "POST /w\\x HTTP/1.1"],
  ["an absolute address that is none", "POST http://:port/w HTTP/1.1"],
])("a request with %s is a 400, or another's matter", async (_name, line) => {
  const engine = await started();
  const handler = engine.toNodeHandler();
  const alone = await portOf(handler);
  const beside = await portOf((request, response) => handler(request, response, () => response.writeHead(418).end()));
  expect([await rawStatus(alone, line), await rawStatus(beside, line)]).toEqual([400, 418]);
});

test("a sender that leaves aborts the request", async () => {
  const engine = testEngine();
  const { promise: begun, resolve: begin } = Promise.withResolvers<AbortSignal>();
  engine
    .define({ id: "w" })
    .onWebhook("/w", {
      respond: "result",
      onSuccess: ({ request }) => begin(request.signal),
    })
    .waitForEvent("never");
  await engine.start();
  const socket = connect(await portOf(engine.toNodeHandler()), "127.0.0.1", () => {
    socket.write("POST /w HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  });
  const signal = await begun;
  expect(signal.aborted).toBe(false);
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
  socket.destroy();
  await aborted;
});

test("a connection is used again after a body that was not read", async () => {
  const engine = await started();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const post = (path: string, body: string, last: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${last}\r\n${body}`;
  const socket = connect(await portOf(engine.toNodeHandler()), "127.0.0.1", () => {
    socket.write(post("/cronflow/events/x", `"${"x".repeat(10_000)}"`, "") + post("/w", "1", "Connection: close\r\n"));
  });
  let received = "";
  socket.on("data", (data) => {
    received += data.toString("latin1");
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(received));
  expect((await promise).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 202"]);
});

/** An engine without `auth`, and the token that it has logged. */
async function local(): Promise<{ engine: Cronflow; authorization: string }> {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log });
  await engine.start({ port: 0, hostname: "127.0.0.1" });
  return { engine, authorization: /Bearer [\w-]+/.exec(lines.join())?.[0] ?? "" };
}

test("without auth, management knows this machine by the connection", async () => {
  const { engine, authorization } = await local();
  const { send } = await listening(createServer(engine.toNodeHandler()));
  expect((await send("/cronflow/runs", { headers: { authorization } })).status).toBe(200);
  expect((await send("/cronflow/runs")).status).toBe(401);
});

test.each([
  ["127.0.0.1", 200],
  ["::ffff:127.0.0.1", 200],
  ["10.0.0.1", 403],
  ["", 403],
  [undefined, 403],
])("a connection from %p is answered %i, whatever its headers say", async (remoteAddress, status) => {
  const { engine, authorization } = await local();
  const headers = { authorization, "x-forwarded-for": "127.0.0.1", forwarded: "for=127.0.0.1" };
  const request = new Request("http://localhost/cronflow/runs", { headers });
  expect((await engine.routes().fetch(request, { incoming: { socket: { remoteAddress } } })).status).toBe(status);
});

test("workflows may be defined after the handler was made", async () => {
  const engine = testEngine();
  const { send } = await listening(createServer(engine.toNodeHandler()));
  engine
    .define({ id: "w" })
    .onWebhook("/w")
    .step("x", () => {});
  await engine.start();
  expect((await send("/w", JSON_POST)).status).toBe(202);
});

test("webhooks that are in each other's way are a 500 and logged, not the end of the process", async () => {
  const { lines, log } = recordingLog();
  const engine = testEngine({ log });
  for (const id of ["one", "other"]) {
    engine
      .define({ id })
      .onWebhook("/w")
      .step("x", () => {});
  }
  await engine.start();
  const { send } = await listening(createServer(engine.toNodeHandler()));
  const answer = await send("/w", JSON_POST);
  expect([answer.status, await answer.json()]).toMatchObject([500, { error: { code: "internal_error" } }]);
  expect(lines.join()).toContain("also that of workflow `one`");
});

test.each(["flows", "", "/flows/*", "/:tenant", "/flows?x", "/a b"])("refuses the prefix %p", (prefix) => {
  const make = (): NodeHandler => testEngine().toNodeHandler({ prefix });
  expect(make).toThrow(InvalidError);
  expect(make).toThrow("give a path like");
});

test("the process's own Request and Response stay what they are", async () => {
  const { Request, Response } = globalThis;
  const engine = await started();
  const { send } = await listening(createServer(engine.toNodeHandler()));
  expect((await send("/w", JSON_POST)).status).toBe(202);
  expect([globalThis.Request, globalThis.Response]).toEqual([Request, Response]);
});

test("whoever does not use it starts without it", async () => {
  const script = `
    import { createCronflow } from ${JSON.stringify(join(import.meta.dir, "../index.ts"))};
    createCronflow().toNodeHandler();
    const loaded = Object.keys(require.cache);
    console.log(["hono-base", "@hono/node-server"].map((name) => loaded.some((path) => path.includes(name))).join());
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  expect(await child.stdout.text()).toBe("true,false\n");
});
