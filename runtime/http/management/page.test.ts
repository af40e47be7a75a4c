/** The page on which people answer a request for approval. */
import { expect, test } from "bun:test";
import type { Cronflow } from "cronflow-ffi";
import { managed } from "./managed.testing.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

async function asked(): Promise<{ engine: Cronflow; runId: string; address: string }> {
  const { engine, nextToken } = await managed({ approvals: "token" });
  const runId = await engine.trigger("asks");
  return { engine, runId, address: `http://localhost/cronflow/approvals/${await nextToken()}` };
}

async function look(engine: Cronflow, address: string, accept = BROWSER): Promise<Response> {
  return engine.fetch(new Request(address, { headers: { accept } }));
}

async function answer(engine: Cronflow, address: string, fields: string): Promise<Response> {
  const headers = {
    "content-type": "application/x-www-form-urlencoded",
    "sec-fetch-site": "same-origin",
    origin: "null",
  };
  return engine.fetch(new Request(address, { method: "POST", headers, body: fields }));
}

test.each([
  [BROWSER, "text/html"],
  ["text/html", "text/html"],
  ["text/html;q=0.5, application/json", "application/json"],
  ["application/json", "application/json"],
  ["*/*", "application/json"],
  ["", "application/json"],
])("whoever accepts %p gets %p", async (accept, type) => {
  const { engine, address } = await asked();
  const response = await look(engine, address, accept);
  expect(response.headers.get("content-type")).toStartWith(type);
  expect(response.headers.get("vary")).toContain("Accept");
});

test("the page shows what is to be approved, escaped, with a form and no script", async () => {
  const { engine, runId, address } = await asked();
  const page = await (await look(engine, address)).text();
  expect(page).toContain("<h1>May &lt;we&gt;?</h1>");
  expect(page).toContain("&lt;b&gt;amount&lt;/b&gt;");
  expect(page).not.toContain("<b>");
  expect(page).toContain(runId);
  expect(page).toContain('<form method="post">');
  expect(page).not.toMatch(/<script|javascript:|\son\w+=|https?:\/\//i);
});

test("the page's policy allows its style and its form, and nothing else", async () => {
  const { engine, address } = await asked();
  const response = await look(engine, address);
  const policy = response.headers.get("content-security-policy") ?? "";
  const style = /<style>([\s\S]*)<\/style>/.exec(await response.text())?.[1] ?? "";
  const hash = new Bun.CryptoHasher("sha256").update(style).digest("base64");
  expect(policy.split("; ").sort()).toEqual([
    "base-uri 'none'",
    "default-src 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    `style-src 'sha256-${hash}'`,
  ]);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
  });
});

test("looking changes nothing, however often and by whatever method: mail scanners look", async () => {
  const { engine, runId, address } = await asked();
  for (const method of ["GET", "HEAD", "OPTIONS", "GET"]) {
    await engine.fetch(new Request(address, { method, headers: { accept: BROWSER } }));
  }
  await look(engine, `${address}?approved=true`);
  expect(await engine.inspect(runId)).toMatchObject({ status: "waiting" });
  expect(await engine.listPausedWorkflows()).toMatchObject([{ runId, status: "open" }]);
});

test.each([
  ["approved=true&comment=", "Approved", { approved: true, status: "approved" }],
  ["comment=no+%26+never&approved=false", "Rejected", { approved: false, status: "rejected", comment: "no & never" }],
])("the form %p is answered by the page %p", async (fields, title, recorded) => {
  const { engine, runId, address } = await asked();
  const response = await answer(engine, address, fields);
  expect(response.status).toBe(200);
  expect(await response.text()).toContain(`<h1>${title}</h1>`);
  expect(await engine.result(runId)).toEqual({ timedOut: false, ...recorded });
  const again = await answer(engine, address, fields);
  expect([again.status, (await again.text()).includes("answered before")]).toEqual([409, true]);
  const seen = await (await look(engine, address)).text();
  expect(seen).toContain(`This request is ${title.toLowerCase()}`);
  expect(seen).not.toContain("<form");
});

test.each(["", "approved=maybe", "approved=true&approved=false", "comment=x"])(
  "the form %p answers nothing",
  async (fields) => {
    const { engine, runId, address } = await asked();
    const response = await answer(engine, address, fields);
    expect([response.status, response.headers.get("content-type")]).toEqual([400, "text/html; charset=UTF-8"]);
    expect(await engine.inspect(runId)).toMatchObject({ status: "waiting" });
  },
);

test("a request that is not there is a page, too", async () => {
  const { engine } = await asked();
  const response = await look(engine, "http://localhost/cronflow/approvals/<script>");
  expect(response.status).toBe(404);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await response.text()).toContain("There is no such request");
});

test("a form is not taken where no page has one", async () => {
  const { engine, call } = await managed();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  expect((await call("POST", "/workflows/adds/trigger", "payload=1", headers)).status).toBe(415);
  expect((await engine.list()).runs).toEqual([]);
});
