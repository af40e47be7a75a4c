/** Over a real socket: what a `Request` made here cannot do. */
import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import type { Cronflow, EngineOptions } from "cronflow-ffi";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { testEngine } from "../../testing/engines.ts";

async function listening(options: WebhookOptions, engineOptions: EngineOptions = {}): Promise<Cronflow> {
  const engine = testEngine(engineOptions);
  engine
    .define({ id: "w" })
    .onWebhook("/w", options)
    .step("x", () => 7)
    .waitForEvent("never");
  await engine.start({ port: 0, hostname: "127.0.0.1" });
  return engine;
}

/** A connection, and what comes back until the other side closes it. */
function connection(engine: Cronflow, head: string): { socket: Socket; closed: Promise<string> } {
  const { hostname, port } = engine.url as URL;
  const socket = connect(Number(port), hostname);
  socket.write(`POST /w HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${head}`);
  let received = "";
  const closed = new Promise<string>((resolve, reject) => {
    socket.on("data", (data) => {
      received += data;
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
  return { socket, closed };
}

test.each([
  ["nothing of a body", "Content-Length: 100\r\n\r\n"],
  ["half a body", 'Content-Length: 100\r\n\r\n{"a":'],
  ["half a body in pieces", 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'],
])("%s is answered 408, and the connection closed", async (_what, head) => {
  const engine = await listening({}, { requestTimeout: 50 });
  const { closed } = connection(engine, head);
  const received = await closed;
  expect(received).toStartWith("HTTP/1.1 408 ");
  expect(received).toContain('"code":"request_timeout"');
  expect((await engine.list()).runs).toEqual([]);
});

test("a body that comes slowly, but comes, is taken", async () => {
  const engine = await listening({ validate: () => true });
  const { socket, closed } = connection(engine, "Content-Length: 7\r\nConnection: close\r\n\r\n");
  for (const piece of '{"a":1}') await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
  expect(await closed).toStartWith("HTTP/1.1 202 ");
});

test("a body in pieces is cut off at the limit", async () => {
  const engine = await listening({ maxBodyBytes: 10 });
  const { closed } = connection(engine, `Transfer-Encoding: chunked\r\n\r\n${"8\r\n12345678\r\n".repeat(2)}`);
  expect(await closed).toStartWith("HTTP/1.1 413 ");
});

test("a sender that leaves in the middle of its body is forgotten", async () => {
  const { promise: told, resolve } = Promise.withResolvers<unknown>();
  const engine = await listening({ onError: resolve });
  const { socket } = connection(engine, 'Content-Length: 100\r\n\r\n{"a":');
  socket.on("connect", () => socket.destroy());
  socket.on("error", () => {});
  expect(await told).toMatchObject({ status: 400, code: "body_incomplete" });
  expect((await engine.list()).runs).toEqual([]);
});

test("a sender that leaves while it waits for a result makes room for another", async () => {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const engine = await listening(
    { respond: "result", timeout: "1h", onSuccess: () => begin() },
    { maxPendingRequests: 1 },
  );
  const { socket } = connection(engine, "Content-Length: 2\r\n\r\n{}");
  await begun;
  const post = () => fetch(new URL("/w", engine.url), { method: "PUT" });
  expect((await post()).status).toBe(503);
  socket.destroy();
  // Its leaving takes a moment to be heard of.
  let status = 503;
  while (status === 503) ({ status } = await post());
  expect(status).toBe(405);
});
