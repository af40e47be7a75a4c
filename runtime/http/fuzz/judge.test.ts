import { expect, test } from "bun:test";
import { misbehaviour, type Seen } from "./judge.ts";
import { jsonPlan, type Plan } from "./plan.ts";
import { CANARY, TOKEN } from "./target.ts";

const HIDDEN = { database: "/var/lib/flows.db" };
const JSON_TYPE = { "content-type": "application/json" };
const MANAGED = { ...JSON_TYPE, "x-content-type-options": "nosniff" };

function seen(status: number, body: unknown, headers: Seen["headers"] = JSON_TYPE): Seen {
  return { status, headers, text: typeof body === "string" ? body : JSON.stringify(body) };
}

function plan(method: string, target: string, headers: Plan["headers"] = [], sealed?: string): Plan {
  const made = { ...jsonPlan(target.slice(1), method, target, {}), ...(sealed && { sealed: Buffer.from(sealed) }) };
  made.headers.push(...headers);
  return made;
}

const refusal = (code = "x", more: object = {}) => ({ error: { code, message: "No.", ...more } });
const BEARER: [string, string] = ["authorization", `Bearer ${TOKEN}`];
const FRIEND: [string, string] = ["origin", "https://friend.example"];
const ALLOWED = "access-control-allow-origin";
const SHARED = { ...MANAGED, [ALLOWED]: "https://friend.example", vary: "Origin" };
const RUN_ID = { runId: "run_0000000000000" };
const RETRY = "/cronflow/runs/run_0000000000000/retry";

test.each<[string, Plan, Seen]>([
  ["status 500", plan("POST", "/orders"), seen(500, refusal())],
  ["status 503", plan("POST", "/orders"), seen(503, refusal())],
  ["nobody has written", plan("POST", "/orders"), seen(404, refusal(), { ...JSON_TYPE, "set-cookie": "a=b" })],
  ["a secret", plan("POST", "/orders"), seen(400, refusal("x", { issues: [CANARY] }))],
  ["a secret", plan("POST", "/orders"), seen(405, refusal(), { ...JSON_TYPE, allow: CANARY })],
  ["a stack", plan("POST", "/orders"), seen(400, refusal("x", { issues: ["at file.ts:1"] }))],
  ["code", plan("POST", "/orders"), seen(400, refusal("x", { issues: ["undefined is not an object"] }))],
  ["a path", plan("POST", "/orders"), seen(400, refusal(`no ${HIDDEN.database}`))],
  ["no JSON", plan("POST", "/orders"), seen(400, "Bad Request")],
  ["content type", plan("POST", "/orders"), seen(400, refusal(), {})],
  ["a page", plan("GET", "/orders"), seen(404, "<!doctype html>", { "content-type": "text/html" })],
  ["HEAD", plan("HEAD", "/orders"), seen(404, refusal())],
  ["no message", plan("POST", "/orders"), seen(400, { error: "No." })],
  ["no code", plan("POST", "/orders"), seen(400, { error: { message: "No." } })],
  ["a field stack", plan("POST", "/orders"), seen(400, refusal("x", { stack: "" }))],
  ["has a run", plan("POST", "/orders"), seen(409, { ...refusal(), ...RUN_ID })],
  ["has no id", plan("PUT", "/sums"), seen(422, refusal())],
  ["additional", plan("POST", RETRY, [BEARER]), seen(200, { ...RUN_ID, more: 1 }, MANAGED)],
  ["not documented", plan("GET", "/cronflow/schedules", [BEARER]), seen(202, {}, MANAGED)],
  ["credentials", plan("POST", RETRY), seen(200, RUN_ID, MANAGED)],
  ["credentials", plan("POST", RETRY, [["authorization", "Bearer other"]]), seen(200, RUN_ID, MANAGED)],
  ["cross-site", plan("POST", RETRY, [BEARER, ["sec-fetch-site", "cross-site"]]), seen(200, RUN_ID, MANAGED)],
  ["evil", plan("POST", RETRY, [BEARER, ["origin", "https://evil.example"]]), seen(200, RUN_ID, MANAGED)],
  ["evil", plan("GET", "/cronflow/runs", [["origin", "https://evil.example"]]), seen(401, refusal(), SHARED)],
  ["all sites", plan("GET", "/cronflow/runs", [FRIEND]), seen(401, refusal(), { ...SHARED, [ALLOWED]: "*" })],
  ["a cache", plan("GET", "/cronflow/runs", [FRIEND]), seen(401, refusal(), { ...SHARED, vary: "Accept" })],
  ["nothing where", plan("OPTIONS", "/cronflow/runs", [FRIEND]), seen(204, "", SHARED)],
  ["forged", plan("POST", "/hmac", [], "[]"), seen(202, RUN_ID)],
])("%s is found", (fault, request, answer) => {
  expect(misbehaviour(request, answer, HIDDEN)).toContain(fault);
});

test.each<[string, Plan, Seen]>([
  ["a run", plan("POST", "/hmac", [], "{}"), seen(202, RUN_ID)],
  ["a refusal", plan("POST", "/orders"), seen(400, refusal("x", { issues: [] }))],
  ["a run that is late", plan("PUT", "/sums"), seen(504, { ...refusal(), ...RUN_ID })],
  ["a run that failed", plan("PUT", "/sums"), seen(422, { ...RUN_ID, error: { name: "Error", message: "No." } })],
  ["management", plan("POST", RETRY, [BEARER, ["sec-fetch-site", "none"]]), seen(200, RUN_ID, MANAGED)],
  [
    "management of a friend",
    plan("POST", RETRY, [BEARER, ["origin", "https://friend.example"]]),
    seen(200, RUN_ID, MANAGED),
  ],
  ["a refusal that a friend reads", plan("GET", "/cronflow/runs", [FRIEND]), seen(401, refusal(), SHARED)],
  [
    "a preflight",
    plan("OPTIONS", "/cronflow/runs", [FRIEND, ["access-control-request-method", "POST"]]),
    seen(204, "", SHARED),
  ],
  [
    "a page for a token",
    plan("GET", "/cronflow/approvals/x"),
    seen(200, "<!doctype html>", { ...MANAGED, "content-type": "text/html" }),
  ],
])("%s is in order", (_what, request, answer) => {
  expect(misbehaviour(request, answer, HIDDEN)).toBeUndefined();
});
