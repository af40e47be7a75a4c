/** What is said of HTTP, and when. */
import { expect, test } from "bun:test";
import { type Cronflow, createCronflow, type EngineOptions, InvalidError, type WebhookOptions } from "cronflow-ffi";
import { testEngine } from "../testing/engines.ts";

test.each<[string, EngineOptions, string]>([
  ["approvals", { approvals: "open" as "auth" }, 'give "auth" or "token"'],
  ["maxPendingRequests", { maxPendingRequests: 0 }, "whole number"],
  ["maxPendingRequests", { maxPendingRequests: 1.5 }, "whole number"],
  ["requestTimeout", { requestTimeout: 0 }, "at least a millisecond"],
  ["requestTimeout", { requestTimeout: "soon" }, "is not a duration"],
  ["allowedOrigins", { allowedOrigins: ["example.com"] }, "give origins"],
  ["allowedOrigins", { allowedOrigins: ["https://example.com/"] }, "give origins"],
  ["allowedOrigins", { allowedOrigins: ["*"] }, "give origins"],
  ["allowedOrigins", { allowedOrigins: ["null"] }, "give origins"],
])("refuses a wrong %s: %j", (name, options, message) => {
  const make = (): Cronflow => createCronflow(options);
  expect(make).toThrow(InvalidError);
  expect(make).toThrow(name);
  expect(make).toThrow(message);
});

test("what routes keep for good cannot be changed by start", async () => {
  for (const options of [{ production: true }, { maxPendingRequests: 5 }]) {
    const engine = testEngine({ production: false });
    engine.routes();
    await expect(engine.start(options)).rejects.toThrow("give it to createCronflow()");
    await engine.start({ requestTimeout: "1s" });
  }
});

function hook(engine: Cronflow, id: string, path: `/${string}`, options: WebhookOptions = {}): void {
  engine
    .define({ id })
    .onWebhook(path, options)
    .step("x", () => 1);
}

const TAKEN: readonly [string, (engine: Cronflow) => void, string][] = [
  ["a webhook at /health", (engine) => hook(engine, "a", "/health"), "the engine's own"],
  ["one at /health/", (engine) => hook(engine, "a", "/health/"), "the engine's own"],
  ["one at /cronflow", (engine) => hook(engine, "a", "/cronflow"), "the engine's own"],
  ["one below /cronflow", (engine) => hook(engine, "a", "/cronflow/x/:y"), "the engine's own"],
  [
    "the same path and method twice",
    (engine) => {
      hook(engine, "a", "/in");
      hook(engine, "b", "/in", { method: "POST" });
    },
    "also that of workflow `a`",
  ],
  [
    "the same path but for the names of parameters",
    (engine) => {
      hook(engine, "a", "/in/:one/x");
      hook(engine, "b", "/in/:other/x");
    },
    "/in/:other/x",
  ],
  [
    "a path of which none is the more specific",
    (engine) => {
      hook(engine, "a", "/in/:x/c");
      hook(engine, "b", "/in/b/:y");
    },
    "the webhook POST /in/b/:y and POST /in/:x/c of workflow `a` may match the same request",
  ],
  [
    "a path that another has without its last part",
    (engine) => {
      hook(engine, "a", "/in/:x?");
      hook(engine, "b", "/in");
    },
    "Workflow `b`: the webhook POST /in is also that of workflow `a`",
  ],
  ["one at /health without its last part", (engine) => hook(engine, "a", "/health/:x?"), "the engine's own"],
];

test.each(TAKEN)("%s is an error when routes are made, and opens nothing", async (_name, define, message) => {
  const engine = testEngine();
  define(engine);
  expect(() => engine.routes()).toThrow(InvalidError);
  expect(() => engine.routes()).toThrow(message);
  await expect(engine.start({ port: 0 })).rejects.toMatchObject({ code: "definition_invalid" });
  await engine.start(); // It serves nothing, so nothing is in the way.
});

test("one path with several methods, and paths that only begin alike, are fine", async () => {
  const engine = testEngine();
  hook(engine, "a", "/in");
  hook(engine, "b", "/in", { method: "PUT" });
  hook(engine, "c", "/cronflows");
  await engine.start({ port: 0, hostname: "127.0.0.1" });
  const status = async (method: string, path: string): Promise<number> =>
    (await fetch(new URL(path, engine.url), { method })).status;
  expect([await status("POST", "/in"), await status("PUT", "/in"), await status("PATCH", "/in")]).toEqual([
    202, 202, 405,
  ]);
  expect(await status("POST", "/cronflows")).toBe(202);
});

test("health needs no credentials, says nothing else, and is 503 after stop", async () => {
  const engine = testEngine();
  const ask = async (): Promise<[number, unknown]> => {
    const response = await engine.fetch(new Request("http://localhost/health"));
    return [response.status, await response.json()];
  };
  expect(await ask()).toEqual([503, { status: "unavailable" }]);
  await engine.start();
  expect(await ask()).toEqual([200, { status: "ok" }]);
  await engine.stop();
  expect(await ask()).toEqual([503, { status: "unavailable" }]);
});

test("an engine that was stopped serves again after the next start", async () => {
  const engine = testEngine({ auth: "a-token-0123456789" });
  for (let start = 0; start < 2; start += 1) {
    await engine.start({ port: 0, hostname: "127.0.0.1" });
    expect((await fetch(new URL("/health", engine.url))).status).toBe(200);
    await engine.stop();
    expect(engine.url).toBeUndefined();
  }
});

test("a port that is taken is an error, and leaves the engine stopped", async () => {
  const first = testEngine();
  await first.start({ port: 0, hostname: "127.0.0.1" });
  const second = testEngine();
  await expect(second.start({ port: Number(first.url?.port), hostname: "127.0.0.1" })).rejects.toThrow();
  await second.start({ port: 0, hostname: "127.0.0.1" });
});
