import { expect, test } from "bun:test";
import { Hono } from "hono";
import { managed, TOKEN } from "../management/managed.testing.ts";
import { ROUTES } from "../management/table.ts";
import { sameOrigin } from "./same-origin.ts";

const SITE = "sec-fetch-site";

/** Headers of an unsafe request, and whether it is let through. */
const TABLE: readonly [string, Record<string, string>, boolean][] = [
  ["a client that is no browser", {}, true],
  ["a page of ours", { [SITE]: "same-origin", origin: "http://flows.example" }, true],
  ["a page of ours without referrer", { [SITE]: "same-origin", origin: "null" }, true],
  ["a user", { [SITE]: "none" }, true],
  ["another site", { [SITE]: "cross-site" }, false],
  ["another site that has our origin", { [SITE]: "cross-site", origin: "http://flows.example" }, false],
  ["another host of our site", { [SITE]: "same-site", origin: "http://other.example" }, false],
  ["a word we do not know", { [SITE]: "same-origin, cross-site" }, false],
  ["an empty word", { [SITE]: "" }, false],
  ["an old browser on a page of ours", { origin: "http://flows.example" }, true],
  ["an old browser behind a proxy that ends TLS", { origin: "https://flows.example" }, true],
  ["an old browser elsewhere", { origin: "http://evil.example" }, false],
  ["an old browser on another port", { origin: "http://flows.example:81" }, false],
  ["an old browser on a longer name", { origin: "http://flows.example.evil.example" }, false],
  ["an old browser on a sandboxed page", { origin: "null" }, false],
  ["an empty origin", { origin: "" }, false],
  ["an origin that is none", { origin: "flows.example" }, false],
  ["a file", { origin: "file://" }, false],
  ["an allowed origin", { origin: "https://admin.example" }, true],
  ["an allowed origin in a new browser", { [SITE]: "cross-site", origin: "https://admin.example" }, true],
  ["an allowed origin by another scheme", { origin: "http://admin.example" }, false],
];

test.each(TABLE)("%s", async (_who, headers, isLetThrough) => {
  const app = new Hono().use(sameOrigin(() => ["https://admin.example"])).all("/", (context) => context.text("done"));
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
    const answer = await app.request("/", { method, headers: { host: "flows.example", ...headers } });
    expect(answer.status).toBe(isLetThrough ? 200 : 403);
    if (!isLetThrough) expect(await answer.json()).toMatchObject({ error: { code: "cross_site" } });
  }
  for (const method of ["GET", "HEAD", "OPTIONS"]) {
    expect((await app.request("/", { method, headers: { host: "flows.example", ...headers } })).status).toBe(200);
  }
});

test("the host is compared with its port, and a port that goes without saying is none", async () => {
  const app = new Hono().use(sameOrigin(() => [])).post("/", (context) => context.text("done"));
  const status = async (host: string, origin: string): Promise<number> =>
    (await app.request("/", { method: "POST", headers: { host, origin } })).status;
  expect(await status("localhost:3000", "http://localhost:3000")).toBe(200);
  expect(await status("localhost:3000", "http://localhost")).toBe(403);
  expect(await status("flows.example:443", "https://flows.example")).toBe(200);
  expect(await status("[::1]:3000", "http://[::1]:3000")).toBe(200);
  expect(await status("not a host", "http://localhost")).toBe(403);
});

test.each(["auth", "token"] as const)(
  "every unsafe route refuses other sites, with approvals: %p",
  async (approvals) => {
    const { engine, nextToken } = await managed({ approvals });
    const runId = await engine.trigger("asks");
    const token = await nextToken();
    const unsafe = ROUTES.filter(({ method }) => method === "POST");
    expect(unsafe.length).toBeGreaterThan(5);
    for (const { path } of unsafe) {
      const filled = path.replace(":token", token).replace(/:\w+/g, runId);
      for (const headers of [{ [SITE]: "cross-site" }, { origin: "https://evil.example" }]) {
        for (const type of ["application/json", "application/x-www-form-urlencoded", "text/plain"]) {
          const body = type === "application/json" ? '{"approved":true}' : "approved=true";
          const request = new Request(`http://localhost/cronflow${filled}`, {
            method: "POST",
            headers: { authorization: `Bearer ${TOKEN}`, "content-type": type, ...headers },
            body,
          });
          expect([path, (await engine.fetch(request)).status]).toEqual([path, 403]);
        }
      }
    }
    expect(await engine.inspect(runId)).toMatchObject({ status: "waiting" });
  },
);
