/** Every management route on a real engine. `call` holds each answer against the OpenAPI document. */
import { expect, test } from "bun:test";
import { RunError } from "cronflow-ffi";
import { type Managed, managed, TOKEN } from "./managed.testing.ts";

const ABSENT = "run_0000000000000";

/** The id of a run of `fails` that has failed. */
async function failedRun({ engine }: Managed): Promise<string> {
  const error = await engine.execute("fails").catch((thrown: unknown) => thrown);
  if (error instanceof RunError) return error.runId;
  throw new Error("the run did not fail");
}

function idOf({ body }: { body: unknown }): string {
  return (body as { runId: string }).runId;
}

test("lists runs, filtered and in pages", async () => {
  const all = await managed();
  const { engine, call } = all;
  const before = new Date(Date.now() - 1_000).toISOString();
  const failed = await failedRun(all);
  for (let payload = 0; payload < 3; payload += 1) await engine.execute("adds", payload);

  const ids = async (query: string): Promise<string[]> => {
    const { body } = await call("GET", `/runs${query}`);
    return (body as { runs: { runId: string }[] }).runs.map(({ runId }) => runId);
  };
  expect(await ids("")).toHaveLength(4);
  expect(await ids("?workflowId=fails")).toEqual([failed]);
  expect(await ids("?status=failed")).toEqual([failed]);
  expect(await ids(`?since=${encodeURIComponent(before)}`)).toHaveLength(4);
  expect(await ids(`?since=${Date.now() + 60_000}`)).toEqual([]);
  expect(await ids("?since=2020-01-01")).toHaveLength(4);
  const first = await call("GET", "/runs?limit=3");
  const { cursor } = first.body as { cursor: string };
  expect(await ids(`?limit=3&cursor=${cursor}`)).toEqual([failed]);
});

test.each([
  ["?limit=0", "limit"],
  ["?limit=1001", "limit"],
  ["?limit=x", "limit"],
  ["?limit=1e2", "limit"],
  ["?limit=", "limit"],
  ["?limit=1&limit=2", "limit"],
  ["?status=done", "status"],
  ["?since=yesterday", "since"],
  ["?since=2026-02-30T99:00:00Z", "since"],
  ["?since=-1", "since"],
  ["?workflow=adds", "workflow"],
  ["?__proto__=x", "__proto__"],
  ["?constructor=x", "constructor"],
])("refuses the query %p, naming %p", async (query, name) => {
  const { call } = await managed();
  const { status, body } = await call("GET", `/runs${query}`);
  expect({ status, body }).toMatchObject({
    status: 400,
    body: { error: { code: "input_invalid", issues: [{ path: `$query.${name}` }] } },
  });
});

test("says of all parameters what is wrong with them, on routes without parameters, too", async () => {
  const { call } = await managed();
  const { body } = await call("GET", "/runs?limit=x&status=y&z=1");
  const { issues } = (body as { error: { issues: { path: string }[] } }).error;
  expect(issues.map(({ path }) => path)).toEqual(["$query.limit", "$query.status", "$query.z"]);
  expect((await call("GET", "/metrics?x=1")).status).toBe(400);
  expect((await call("POST", `/runs/${ABSENT}/retry?x=1`)).status).toBe(400);
  expect((await call("GET", "/runs?cursor=x")).status).toBe(400);
});

test("shows a run with everything that is recorded of it", async () => {
  const all = await managed();
  const runId = await all.engine.trigger("adds", 1);
  await all.engine.result(runId);
  const { body } = await all.call("GET", `/runs/${runId}`);
  const record = await all.engine.inspect(runId);
  expect(body).toEqual(JSON.parse(JSON.stringify(record)));
  expect(body).toMatchObject({ runId, workflowId: "adds", status: "completed", payload: 1, output: 2 });
  expect((await all.call("GET", `/runs/${await failedRun(all)}`)).body).toMatchObject({
    status: "failed",
    error: { message: "broken", code: "E_BROKEN" },
    attempts: [{ step: "broken", status: "failed" }],
  });
});

test.each([
  ["x", 400, "input_invalid"],
  ["%00", 400, "input_invalid"],
  ["%zz", 400, "input_invalid"],
  ["..%2f", 400, "input_invalid"],
  ["x".repeat(3_000), 400, "input_invalid"],
  ["run_8000000000000", 400, "input_invalid"],
  ["run_0000000000000x", 400, "input_invalid"],
  ["run_000000000000u", 400, "input_invalid"],
  [ABSENT, 404, "run_not_found"],
  [ABSENT.replace("000", "oIl"), 404, "run_not_found"],
])("refuses the run id %p with %d", async (id, status, code) => {
  const { call } = await managed();
  for (const [method, verb] of [
    ["GET", ""],
    ["POST", "/cancel"],
    ["POST", "/retry"],
    ["POST", "/replay"],
  ] as const) {
    expect(await call(method, `/runs/${id}${verb}`)).toMatchObject({ status, body: { error: { code } } });
  }
});

test("cancels a run, once", async () => {
  const { engine, call } = await managed();
  const runId = await engine.trigger("asks");
  expect(await call("POST", `/runs/${runId}/cancel`, { reason: "enough" })).toMatchObject({
    status: 200,
    body: { runId },
  });
  expect(await engine.inspect(runId)).toMatchObject({ status: "cancelled", error: { message: "enough" } });
  expect(await call("POST", `/runs/${runId}/cancel`)).toMatchObject({
    status: 409,
    body: { error: { code: "run_ended" } },
  });
  const other = await engine.trigger("asks");
  expect(await call("POST", `/runs/${other}/cancel`, { reason: "x".repeat(2_000) })).toMatchObject({ status: 400 });
  expect(await call("POST", `/runs/${other}/cancel`, {})).toMatchObject({ status: 200 });
});

test("retries a failed run", async () => {
  const all = await managed();
  const runId = await failedRun(all);
  all.mend();
  expect(await all.call("POST", `/runs/${runId}/retry`)).toMatchObject({ status: 200, body: { runId } });
  expect(await all.engine.result(runId)).toBe("mended");
  expect(await all.call("POST", `/runs/${runId}/retry`)).toMatchObject({ status: 409 });
});

test("replays a run, as it was and otherwise", async () => {
  const { engine, call } = await managed();
  const runId = await engine.trigger("adds", 1);
  await engine.result(runId);
  const path = `/runs/${runId}/replay`;
  const plain = await call("POST", path);
  expect(plain.status).toBe(202);
  expect(await engine.result(idOf(plain))).toBe(2);
  expect(await engine.inspect(idOf(plain))).toMatchObject({ replayOf: runId });
  expect(await engine.result(idOf(await call("POST", path, { overridePayload: 0 })))).toBe(1);
  expect(await engine.result(idOf(await call("POST", path, { mockStep: { one: 7 } })))).toBe(7);
  expect(await engine.result(idOf(await call("POST", path, { fromStep: "tell" })))).toBe(2);
  expect(await call("POST", path, { fromStep: "none" })).toMatchObject({ status: 404 });
  expect(await call("POST", path, { mockStep: [1] })).toMatchObject({
    status: 400,
    body: { error: { issues: [{ path: "$.mockStep" }] } },
  });
});

test("starts a run, with a payload, a key, a delay and a priority", async () => {
  const { engine, call } = await managed();
  const path = "/workflows/adds/trigger";
  const started = await call("POST", path, { payload: 1, priority: -5 });
  expect(started.status).toBe(202);
  expect(await engine.result(idOf(started))).toBe(2);
  const keyed = { payload: 1, idempotencyKey: "k" };
  expect(idOf(await call("POST", path, keyed))).toBe(idOf(await call("POST", path, keyed)));
  expect(await call("POST", path, { ...keyed, payload: 2 })).toMatchObject({ status: 409 });
  for (const delay of ["1h", "PT1H", 3_600_000]) {
    const { createdAt, startAt } = await engine.inspect(idOf(await call("POST", path, { delay })));
    expect(Number(startAt) - Number(createdAt)).toBe(3_600_000);
  }
  expect((await call("POST", path)).status).toBe(202);
  expect(await call("POST", "/workflows/none/trigger", {})).toMatchObject({ status: 404 });
});

test.each([
  [{ delay: "soon" }, "$.delay"],
  [{ delay: -1 }, "$.delay"],
  [{ delay: null }, "$.delay"],
  [{ priority: 101 }, "$.priority"],
  [{ priority: "5" }, "$.priority"],
  [{ idempotencyKey: "" }, "$.idempotencyKey"],
  [{ idempotencyKey: "x".repeat(513) }, "$.idempotencyKey"],
  [{ idempotencyKey: 5 }, "$.idempotencyKey"],
  [{ payloads: 5 }, "$.payloads"],
  ['{"__proto__":1}', "$.__proto__"],
  [[], "$"],
  [null, "$"],
  ["5", "$"],
])("refuses to start a run with %j, naming %p", async (body, path) => {
  const { engine, call } = await managed();
  const answer = await call("POST", "/workflows/adds/trigger", body);
  expect(answer).toMatchObject({ status: 400, body: { error: { code: "input_invalid", issues: [{ path }] } } });
  expect((await engine.list()).runs).toEqual([]);
});

test("refuses bodies that are no JSON, too large or cut off", async () => {
  const { engine, call } = await managed();
  const path = "/workflows/adds/trigger";
  expect(await call("POST", path, "{")).toMatchObject({ status: 400, body: { error: { code: "body_invalid" } } });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]) {
    expect(await call("POST", path, "{}", { "content-type": type })).toMatchObject({ status: 415 });
  }
  expect(await call("POST", path, "{}", { "content-type": "application/json; charset=utf-8" })).toMatchObject({
    status: 202,
  });
  const large = JSON.stringify({ payload: "x".repeat(1 << 20) });
  expect(await call("POST", path, large)).toMatchObject({ status: 413 });

  const send = (body: ReadableStream): Promise<Response> =>
    Promise.resolve(
      engine.fetch(
        new Request(`http://localhost/cronflow${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
          body,
        }),
      ),
    );
  let pieces = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pieces += 1;
      controller.enqueue(new Uint8Array(1 << 18));
    },
  });
  expect((await send(endless)).status).toBe(413);
  expect(pieces).toBeLessThan(20);
  const breaksOff = new ReadableStream({
    pull(controller) {
      controller.error(new Error("the sender has left"));
    },
  });
  expect(await (await send(breaksOff)).json()).toMatchObject({ error: { code: "body_incomplete" } });
  const notUtf8 = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array([0x22, 0xff, 0x22]));
      controller.close();
    },
  });
  expect(await (await send(notUtf8)).json()).toMatchObject({ error: { issues: [{ message: "not UTF-8" }] } });
});

test("a body that does not arrive in time is answered 408", async () => {
  const { engine } = await managed({ requestTimeout: 20 });
  const response = await engine.fetch(
    new Request("http://localhost/cronflow/events/x", {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: new ReadableStream({ pull: () => new Promise(() => {}) }),
    }),
  );
  expect(response.status).toBe(408);
});

test("lists workflows, and pauses them", async () => {
  const { engine, call } = await managed();
  const listed = async (): Promise<unknown[]> =>
    ((await call("GET", "/workflows")).body as { workflows: unknown[] }).workflows;
  expect(await listed()).toEqual([
    {
      id: "adds",
      name: "Adds",
      description: "Adds one.",
      version: "1",
      tags: ["sums"],
      triggers: [
        { type: "webhook", method: "PUT", path: "/adds" },
        { type: "manual" },
        { type: "schedule", name: "leap", cron: "0 2 29 2 *", timezone: "UTC" },
        { type: "interval", name: "daily", everyMs: 86_400_000 },
        { type: "poll", name: "asked", everyMs: 86_400_000 },
      ],
      paused: false,
    },
    { id: "listens", tags: [], triggers: [{ type: "event", event: "paid" }], paused: false },
    { id: "fails", tags: [], triggers: [], paused: false },
    { id: "asks", tags: [], triggers: [], paused: false },
  ]);
  expect((await call("POST", "/workflows/adds/pause")).body).toEqual({ workflowId: "adds", paused: true });
  expect(await listed()).toMatchObject([{ paused: true }, { paused: false }, { paused: false }, { paused: false }]);
  const runId = await engine.trigger("adds", 1);
  expect(await engine.inspect(runId)).toMatchObject({ status: "pending" });
  expect((await call("GET", "/metrics")).body).toMatchObject({ paused: ["adds"] });
  expect((await call("POST", "/workflows/adds/unpause")).body).toEqual({ workflowId: "adds", paused: false });
  expect(await engine.result(runId)).toBe(2);
  for (const verb of ["pause", "unpause"]) {
    expect(await call("POST", `/workflows/none/${verb}`)).toMatchObject({ status: 404 });
  }
});

test("lists requests for approval, shows one, and takes its answer once", async () => {
  const { engine, call, nextToken } = await managed();
  const runId = await engine.trigger("asks");
  const token = await nextToken();
  const request = { runId, workflowId: "asks", step: "boss", status: "open", description: "May <we>?" };
  expect((await call("GET", "/approvals")).body).toMatchObject({ approvals: [request] });
  expect((await call("GET", "/approvals?workflowId=adds&limit=1")).body).toEqual({ approvals: [] });
  for (let looked = 0; looked < 3; looked += 1) {
    expect((await call("GET", `/approvals/${token}`)).body).toMatchObject(request);
  }
  for (const [body, path] of [
    [{}, "$.approved"],
    [{ approved: "true" }, "$.approved"],
    [[true], "$"],
  ] as const) {
    expect(await call("POST", `/approvals/${token}`, body)).toMatchObject({
      status: 400,
      body: { error: { issues: [{ path }] } },
    });
  }
  expect((await call("POST", `/approvals/${token}`, "")).status).toBe(400);
  expect((await call("POST", `/approvals/${token}`)).status).toBe(415);
  const answer = { approved: false, why: ["dear"], __proto__: { hidden: true } };
  expect((await call("POST", `/approvals/${token}`, answer)).body).toEqual({ approved: false });
  expect(await engine.result(runId)).toEqual({ approved: false, timedOut: false, status: "rejected", why: ["dear"] });
  expect(await call("POST", `/approvals/${token}`, answer)).toMatchObject({
    status: 409,
    body: { error: { code: "token_used" } },
  });
  expect((await call("GET", `/approvals/${token}`)).body).toMatchObject({ status: "rejected" });
  expect(await call("GET", "/approvals/unknown")).toMatchObject({
    status: 404,
    body: { error: { code: "token_unknown" } },
  });
  expect(await call("POST", "/approvals/unknown", { approved: true })).toMatchObject({ status: 404 });
});

test("publishes an event, and tells what it has started and what was refused", async () => {
  const { engine, call } = await managed();
  const paid = await call("POST", "/events/paid", { amount: 5 });
  expect(paid.status).toBe(202);
  const { runIds, refused } = paid.body as { runIds: string[]; refused: object[] };
  expect([runIds.length, refused]).toEqual([1, []]);
  expect(await engine.result(runIds[0] as string)).toBe(5);
  for (const payload of [{ amount: "x" }, 0, false, null, '""', []]) {
    const { status, body } = await call("POST", "/events/paid", payload);
    expect({ status, body }).toMatchObject({ status: 202, body: { runIds: [], refused: [{ workflowId: "listens" }] } });
  }
  expect((await call("POST", "/events/other")).body).toEqual({ runIds: [], refused: [] });
  expect((await call("POST", `/events/${"x".repeat(200)}`)).status).toBe(400);
});

test("lists schedules", async () => {
  const { call } = await managed();
  const { body } = await call("GET", "/schedules");
  expect(body).toMatchObject({
    schedules: [
      { workflowId: "adds", name: "leap", kind: "cron", cron: "0 2 29 2 *", timezone: "UTC", paused: false },
      { name: "daily", kind: "interval", everyMs: 86_400_000 },
      { name: "asked", kind: "poll", everyMs: 86_400_000 },
    ],
  });
  const [leap] = (body as { schedules: { next: string[] }[] }).schedules;
  expect(leap?.next.every((time) => time.includes("-02-29T02:00:00.000Z"))).toBe(true);
  expect((await call("GET", "/schedules?workflowId=listens")).body).toEqual({ schedules: [] });
});

test("tells what the engine is doing", async () => {
  const { engine, call, nextToken } = await managed();
  await engine.trigger("asks");
  await nextToken();
  const { body } = await call("GET", "/metrics");
  expect(body).toMatchObject({
    pendingRequests: 0,
    workflows: ["adds", "asks", "fails", "listens"],
    paused: [],
    durability: "full",
    database: expect.stringMatching(/test\.db$/),
  });
});

test("HEAD is GET without a body; other methods are 405; other paths 404", async () => {
  const { engine, call } = await managed();
  const headers = { authorization: `Bearer ${TOKEN}` };
  const head = await engine.fetch(new Request("http://localhost/cronflow/runs", { method: "HEAD", headers }));
  expect([head.status, await head.text()]).toEqual([200, ""]);
  for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const answer = await call(method, "/runs");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  }
  const both = await call("DELETE", "/approvals/x");
  expect([both.status, both.headers.get("allow")]).toEqual([405, "GET, POST, HEAD"]);
  for (const path of ["", "/", "/none", "/runs/", "/runs/x/y/z"]) expect((await call("GET", path)).status).toBe(404);
});

test("answers are not kept by caches, nor taken for something else", async () => {
  const { call } = await managed();
  for (const path of ["/runs", "/runs/x", "/none"]) {
    const { headers } = await call("GET", path);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  }
});

test("a stopped engine answers 503 with Retry-After, and does not say more", async () => {
  const { engine, call } = await managed();
  await engine.stop();
  for (const [method, path] of [
    ["GET", "/runs"],
    ["GET", "/metrics"],
    ["POST", "/events/x"],
    ["POST", "/workflows/adds/trigger"],
  ] as const) {
    const answer = await call(method, path);
    expect(answer).toMatchObject({ status: 503, body: { error: { code: "closed" } } });
    expect(answer.headers.get("retry-after")).toBe("1");
  }
});
