/** What senders do to `Host`, over a real socket. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import type { Cronflow } from "cronflow-ffi";
import { testEngine } from "../testing/engines.ts";

const TOKEN = "token-of-tests-0123456789";

async function serving(): Promise<Cronflow> {
  const engine = testEngine({ auth: TOKEN });
  engine
    .define({ id: "w" })
    .onWebhook("/w/:id")
    .step("x", (ctx) => ctx.trigger);
  await engine.start({ port: 0, hostname: "127.0.0.1" });
  return engine;
}

/** All that comes back. */
function exchange({ url }: Cronflow, head: string): Promise<string> {
  const socket = connect(Number(url?.port), url?.hostname as string);
  socket.write(`${head}\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
  let received = "";
  return new Promise((resolve, reject) => {
    socket.on("data", (data) => {
      received += data;
    });
    socket.on("close", () => resolve(received));
    socket.on("error", reject);
  });
}

const HOSTS = ["\r\nHost: :x", "\r\nHost: a/health?", "\r\nHost: a b", "\r\nHost: u@a", "\r\nHost: ", ""];

test.each(HOSTS)("the path is the one that was asked for, whatever the host is: %j", async (host) => {
  const engine = await serving();
  const version = host === "" ? "HTTP/1.0" : "HTTP/1.1";
  const get = async (path: string) => (await exchange(engine, `GET ${path} ${version}${host}`)).slice(9, 12);
  expect(await get("/health")).toBe("200");
  expect(await get("/cronflow/runs?limit=1")).toBe("200");
  expect(await get("/cronflow/runs?limit=0")).toBe("400");
  expect(await get("/cronflow/openapi.json")).toBe("200");
  expect(await get("/ab/health")).toBe("404");
  expect(await get("/w:/cronflow/runs")).toBe("404");
  expect(await get("/ab/cronflow/runs")).toBe("404");
});

test("what is recorded of a request does not depend on its host", async () => {
  const engine = await serving();
  await exchange(engine, "POST /w/1?a=b#c HTTP/1.0");
  const [run] = (await engine.list()).runs;
  expect(await engine.result(run?.runId as string)).toMatchObject({
    path: "/w/1",
    params: { id: "1" },
    query: { a: "b" },
  });
});
