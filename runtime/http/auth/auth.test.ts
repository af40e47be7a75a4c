/** Who is let through, by each kind of `auth`. */
import { expect, test } from "bun:test";
import { type Cronflow, createCronflow, InvalidError, type Logger, type StartOptions } from "cronflow-ffi";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
import { testEngine } from "../../testing/engines.ts";

const [ONE, OTHER] = ["first-token-0123456789", "second-token-0123456789"];

async function started(options: StartOptions = {}): Promise<Cronflow> {
  const engine = testEngine();
  await engine.start(options);
  return engine;
}

async function status(engine: Cronflow, token?: string, server?: unknown): Promise<number> {
  return (await ask(engine, token === undefined ? {} : { authorization: `Bearer ${token}` }, server)).status;
}

function ask(engine: Cronflow, headers: Record<string, string>, server?: unknown): Response | Promise<Response> {
  return engine.fetch(new Request("http://localhost/cronflow/runs", { headers }), server);
}

/** A server that says that every request comes from this address. */
function serverOf(address: string | undefined): object {
  return { requestIP: () => (address === undefined ? null : { address, port: 1, family: "IPv4" }) };
}

test.each([
  ["a token", ONE, [ONE]],
  ["a bearer", { bearer: ONE }, [ONE]],
  ["several", { bearer: [ONE, OTHER] }, [ONE, OTHER]],
])("%s as auth lets whoever has it through", async (_name, auth, tokens) => {
  const engine = await started({ auth });
  for (const token of tokens) expect(await status(engine, token)).toBe(200);
  for (const token of [undefined, "", `${ONE}x`, ONE.slice(1), ONE.toUpperCase(), tokens.join(",")].filter(
    (token) => token !== tokens.join(",") || tokens.length > 1,
  )) {
    expect(await status(engine, token)).toBe(401);
  }
  for (const scheme of ["bearer", "BEARER"]) {
    expect((await ask(engine, { authorization: `${scheme} ${ONE}` })).status).toBe(200);
  }
});

test("what start says of auth wins, also for routes that were made before", async () => {
  const engine = testEngine({ auth: ONE });
  const app = new Hono().route("/", engine.routes());
  await engine.start({ auth: OTHER });
  const statusOf = async (token: string): Promise<number> =>
    (await app.request("/cronflow/runs", { headers: { authorization: `Bearer ${token}` } })).status;
  expect([await statusOf(ONE), await statusOf(OTHER)]).toEqual([401, 200]);
});

test("a middleware as auth decides, and answers", async () => {
  const engine = await started({
    auth: async (context, next) => {
      if (context.req.header("x-user") === "root") return next();
      return context.text("who are you?", 418);
    },
  });
  expect((await ask(engine, { "x-user": "root" })).status).toBe(200);
  const refused = await ask(engine, {});
  expect([refused.status, await refused.text()]).toEqual([418, "who are you?"]);
});

test("a middleware that throws an answer, does nothing or fails lets nobody through", async () => {
  const ready = await started({ auth: bearerAuth({ token: ONE }) });
  expect([await status(ready), await status(ready, ONE)]).toEqual([401, 200]);
  const idle = await started({ auth: async () => {} });
  expect(await status(idle)).toBe(500);
  const fails = await started({ auth: () => Promise.reject(new Error("secret detail")) });
  const failed = await ask(fails, {});
  expect([failed.status, (await failed.text()).includes("secret detail")]).toEqual([500, false]);
});

test.each([["secret detail"], [undefined], [null], [{ detail: "secret detail" }], [new Error("secret detail")]])(
  "what a middleware throws is logged, whatever it is: %j",
  async (thrown) => {
    const errors: unknown[][] = [];
    const log: Logger = { debug() {}, info() {}, warn() {}, error: (...line) => void errors.push(line) };
    const engine = await started({ log, auth: () => Promise.reject(thrown) });
    const answer = await ask(engine, {});
    expect([answer.status, await answer.json()]).toEqual([
      500,
      { error: { code: "internal_error", message: "The request failed; the log says why." } },
    ]);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.[0]).toBe("GET /cronflow/runs failed");
    expect(String(errors[0]?.[1])).toContain(thrown ? "secret detail" : String(thrown));
  },
);

test("a middleware that has read the body leaves it to the route", async () => {
  const engine = testEngine();
  engine.define({ id: "w" }).step("x", (ctx) => ctx.payload);
  await engine.start({
    auth: async (context, next) => {
      if ((await context.req.text()).includes("5")) await next();
      else return context.text("no", 403);
    },
  });
  const send = (body: string): Response | Promise<Response> =>
    engine.fetch(
      new Request("http://localhost/cronflow/workflows/w/trigger", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      }),
    );
  expect((await send('{"payload":4}')).status).toBe(403);
  const { runId } = (await (await send('{"payload":5}')).json()) as { runId: string };
  expect(await engine.result(runId)).toBe(5);
});

test.each([
  ["a short token", "short", "has 5 characters"],
  ["an empty token", "", "has 0 characters"],
  ["a short one among others", { bearer: [ONE, "short"] }, "has 5 characters"],
  ["no token at all", { bearer: [] }, "has no token"],
  ["a token with spaces", "a token with spaces in it", "visible ASCII"],
  ["a token with a line break", "a-token-0123456789\n", "visible ASCII"],
])("refuses %s, and does not show it", (_name, auth, message) => {
  const make = (): Cronflow => createCronflow({ auth });
  expect(make).toThrow(InvalidError);
  expect(make).toThrow(message);
  expect(make).not.toThrow(/spaces in it|0123456789/);
});

test("what start refuses has opened nothing", async () => {
  const engine = testEngine();
  await expect(engine.start({ auth: "short" })).rejects.toMatchObject({ code: "config_invalid" });
  await engine.start();
});

/** An engine on a port without `auth`, and the token that it has logged. */
async function local(): Promise<{ engine: Cronflow; token: string; lines: string[] }> {
  const lines: string[] = [];
  const log: Logger = { debug() {}, info: (line) => void lines.push(line), warn() {}, error() {} };
  const engine = await started({ port: 0, hostname: "127.0.0.1", log });
  const token = /Bearer ([\w-]+)/.exec(lines.join())?.[1] ?? "";
  return { engine, token, lines };
}

test("without auth a token is made and told once, and is good from this machine", async () => {
  const { engine, token, lines } = await local();
  expect(Buffer.from(token, "base64url")).toHaveLength(32);
  expect(lines.filter((line) => line.includes(token))).toHaveLength(1);
  expect(lines.join()).toContain(`${engine.url}cronflow`);
  const url = new URL("/cronflow/runs", engine.url);
  const answers = [await fetch(url), await fetch(url, { headers: { authorization: `Bearer ${token}` } })];
  expect(answers.map((answer) => answer.status)).toEqual([401, 200]);
  expect((await local()).token).not.toBe(token);
});

test.each(["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"])("%s is this machine", async (address) => {
  const { engine, token } = await local();
  expect(await status(engine, token, serverOf(address))).toBe(200);
  expect(await status(engine, undefined, serverOf(address))).toBe(401);
});

test.each(["10.0.0.1", "128.0.0.1", "::2", "::ffff:10.0.0.1", "fe80::1", "1.127.0.0.1", "127.0.0.1.example", ""])(
  "%p is not this machine",
  async (address) => {
    const { engine, token } = await local();
    expect(await status(engine, token, serverOf(address))).toBe(403);
  },
);

test("whoever is not known is refused, and told what to do; headers are not believed", async () => {
  const { engine, token } = await local();
  for (const server of [undefined, {}, { requestIP: 1 }, { params: {} }, serverOf(undefined)]) {
    const answer = await ask(engine, { authorization: `Bearer ${token}` }, server);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ error: { code: "auth_not_configured" } });
  }
  for (const name of ["x-forwarded-for", "x-real-ip", "forwarded", "cf-connecting-ip", "x-client-ip"]) {
    const headers = { authorization: `Bearer ${token}`, [name]: "127.0.0.1" };
    expect((await ask(engine, headers, serverOf("10.0.0.1"))).status).toBe(403);
  }
});

test("without auth and without a port nobody is let through", async () => {
  const engine = await started();
  expect(await status(engine, undefined, serverOf("127.0.0.1"))).toBe(403);
  expect(await status(engine, "undefined", serverOf("127.0.0.1"))).toBe(403);
});

test("an app that Bun serves hands the server on", async () => {
  const { engine, token } = await local();
  const app = new Hono().route("/inside", engine.routes());
  const request = (): Request =>
    new Request("http://localhost/inside/cronflow/runs", { headers: { authorization: `Bearer ${token}` } });
  expect((await app.fetch(request(), serverOf("127.0.0.1"))).status).toBe(200);
  expect((await app.fetch(request(), serverOf("10.0.0.1"))).status).toBe(403);
  expect((await app.fetch(request())).status).toBe(403);
});
