/** What a browser needs to hear for a page of an allowed origin. */
import { expect, test } from "bun:test";
import type { StartOptions } from "cronflow-ffi";
import { managed, TOKEN } from "../management/managed.testing.ts";

const FRIEND = "https://dashboard.example";
const RIGHT = { authorization: `Bearer ${TOKEN}` };

interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
}

type Send = (headers: Record<string, string>, ask?: Ask) => Promise<Response>;

async function sender(options: StartOptions = {}): Promise<Send> {
  const { engine } = await managed({ allowedOrigins: [FRIEND, "https://other.example"], ...options });
  return async (headers, { method = "GET", path = "/runs", body } = {}) =>
    engine.fetch(new Request(`http://localhost/cronflow${path}`, { method, headers, ...(body && { body }) }));
}

/** The headers of an answer that speak of other origins. */
function shared({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));
}

const SHARED = { "access-control-allow-origin": FRIEND, "access-control-allow-credentials": "true" };
const preflight = (origin: string): Record<string, string> => ({
  origin,
  "sec-fetch-site": "cross-site",
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type",
});

test("a preflight is answered without credentials, and says what may be sent", async () => {
  const send = await sender();
  for (const path of ["/runs", "/workflows/adds/trigger", "/approvals/x", "/none"]) {
    const answer = await send(preflight(FRIEND), { method: "OPTIONS", path });
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    expect(shared(answer)).toEqual({
      ...SHARED,
      "access-control-allow-methods": "GET,POST",
      "access-control-allow-headers": "Authorization,Content-Type",
    });
    expect(answer.headers.get("vary")).toContain("Origin");
  }
});

test("answers can be read", async () => {
  const send = await sender();
  const list = await send({ origin: FRIEND, ...RIGHT });
  expect([list.status, shared(list), list.headers.get("vary")]).toEqual([200, SHARED, "Origin"]);
  const headers = { origin: FRIEND, "sec-fetch-site": "cross-site", "content-type": "application/json", ...RIGHT };
  const trigger = { method: "POST", path: "/workflows/adds/trigger", body: '{"payload":1}' };
  const started = await send(headers, trigger);
  expect([started.status, shared(started)]).toEqual([202, SHARED]);
});

test("refusals can be read, too, whoever refuses", async () => {
  const send = await sender();
  for (const [status, headers, ask] of [
    [401, {}, {}],
    [401, {}, { method: "POST", path: "/workflows/adds/trigger" }],
    [404, RIGHT, { path: "/none" }],
    [405, RIGHT, { method: "POST" }],
    [400, RIGHT, { path: "/runs?color=red" }],
  ] as const) {
    const answer = await send({ origin: FRIEND, ...headers }, ask);
    expect([answer.status, shared(answer), answer.headers.get("vary")]).toEqual([status, SHARED, "Origin"]);
  }
  const broken = await sender({ auth: () => Promise.reject(new Error("no")) });
  const failed = await broken({ origin: FRIEND });
  expect([failed.status, shared(failed)]).toEqual([500, SHARED]);
});

test("what is open keeps its own `Vary` beside it", async () => {
  const send = await sender({ approvals: "token" });
  const answer = await send({ origin: FRIEND }, { path: "/approvals/x" });
  expect([answer.status, shared(answer)]).toEqual([404, SHARED]);
  expect(answer.headers.get("vary")).toBe("Accept, Origin");
});

test.each(["https://evil.example", `${FRIEND}.evil.example`, "http://dashboard.example", "null", ""])(
  "to pages of %p nothing is said",
  async (origin) => {
    const send = await sender();
    const asked = await send(preflight(origin), { method: "OPTIONS" });
    const read = await send({ origin, ...RIGHT });
    const sent = await send({ origin, ...RIGHT }, { method: "POST", path: "/workflows/adds/trigger" });
    expect([asked, read, sent].map(({ status }) => status)).toEqual([401, 200, 403]);
    // A cache must not keep it for pages that are allowed.
    for (const answer of [asked, read, sent])
      expect([shared(answer), answer.headers.get("vary")]).toEqual([{}, "Origin"]);
  },
);

test("OPTIONS that is no preflight is a request like others", async () => {
  const send = await sender();
  const answer = await send({ origin: FRIEND }, { method: "OPTIONS" });
  expect([answer.status, shared(answer)]).toEqual([401, {}]);
});

test("without allowed origins nothing is different", async () => {
  const send = await sender({ allowedOrigins: [] });
  const [asked, read] = [
    await send(preflight(FRIEND), { method: "OPTIONS" }),
    await send({ origin: FRIEND, ...RIGHT }),
  ];
  expect([asked.status, read.status]).toEqual([401, 200]);
  for (const answer of [asked, read]) expect([shared(answer), answer.headers.get("vary")]).toEqual([{}, null]);
});
