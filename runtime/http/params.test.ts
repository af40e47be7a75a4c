/** Parameters of the path under which cronflow is mounted are the app's; those of its own routes are cronflow's. */
import { expect, test } from "bun:test";
import { Hono } from "hono";
import { managed, TOKEN } from "./management/managed.testing.ts";
import { answerOf, request, serving } from "./webhook/webhook.testing.ts";

/** Where cronflow may be mounted, and the beginning of a path there. */
const MOUNTS: readonly [string, string][] = [
  ["/flows", "/flows"],
  ["/tenants/:id", "/tenants/5"],
  ["/tenants/:id/", "/tenants/5"],
  ["/of/:token/:name", "/of/5/6"],
  ["/of/:id{[0-9]+}", "/of/5"],
  ["/of/:id{.+}/in", "/of/5/6/in"],
  ["/of/*/in", "/of/5/in"],
];

test.each(MOUNTS)("management mounted under %s reads its own", async (mount, base) => {
  const { engine, nextToken } = await managed({ approvals: "token" });
  const app = new Hono().route(mount, engine.routes());
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const runId = await engine.trigger("asks");
  const token = await nextToken();
  const run = await app.request(`${base}/cronflow/runs/${runId}`, { headers });
  expect(await run.json()).toMatchObject({ runId, workflowId: "asks" });
  expect((await app.request(`${base}/cronflow/approvals/${token}`)).status).toBe(200);
  const init = { method: "POST", headers, body: '{"payload":2}' };
  const triggered = await app.request(`${base}/cronflow/workflows/adds/trigger`, init);
  const started = (await triggered.json()) as { runId: string };
  expect(await engine.inspect(started.runId)).toMatchObject({ workflowId: "adds" });
});

test.each(MOUNTS)("a webhook mounted under %s records its own", async (mount, base) => {
  const engine = await serving((engine) => {
    engine
      .define({ id: "w" })
      .onWebhook("/w/:id/:name{[a-zé]+}")
      .step("x", ({ trigger }) => [trigger.path, trigger.params]);
    engine
      .define({ id: "plain" })
      .onWebhook("/plain")
      .step("x", ({ trigger }) => [trigger.path, trigger.params]);
  });
  const app = new Hono().route(mount, engine.routes());
  const recorded = async (path: string): Promise<unknown> => {
    const { body } = await answerOf(app.fetch(request(`${base}${path}`)));
    return engine.result((body as { runId: string }).runId);
  };
  expect(await recorded("/w/a%2Fb/caf%C3%A9")).toEqual([`${base}/w/a%2Fb/café`, { id: "a/b", name: "café" }]);
  expect(await recorded("/plain")).toEqual([`${base}/plain`, {}]);
});
