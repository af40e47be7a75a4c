import { expect, test } from "bun:test";
import { Hono } from "hono";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { fingerprint } from "../../fingerprint.ts";
import type { StartRequest } from "../../session.ts";
import type { HttpEngine } from "../engine.ts";
import type { Verified } from "../verify/verifier.ts";
import { Admission } from "./admission.ts";
import { addWebhook } from "./route.ts";
import { request } from "./webhook.testing.ts";

/** What the core would be asked for. */
async function asked(options: WebhookOptions): Promise<StartRequest | undefined> {
  let start: StartRequest | undefined;
  const session = {
    start: async (request: StartRequest) => {
      start = request;
      return { runId: "run_1", repeated: false, ended: undefined, stopWaiting() {} };
    },
  };
  const engine = { now: () => 0, session: () => session, http: { isProduction: false, requestTimeoutMs: 1_000 } };
  const routes = new Hono();
  const trigger = { type: "webhook", path: "/w", options } as const;
  // Only these parts of an engine are used here.
  addWebhook(routes, engine as unknown as HttpEngine, "w", trigger, new Admission(1));
  expect((await routes.fetch(request("/w", "[1]"))).status).toBe(202);
  return start;
}

const verify = (verified: Verified) => () => verified;
const body = fingerprint("[1]");

test.each<[string, Verified, object | undefined]>([
  ["a name for ever", { ok: true, deliveryId: "m" }, { id: "m", fingerprint: body }],
  ["a name for a while", { ok: true, deliveryId: "m", ttl: "1h" }, { id: "m", fingerprint: body, ttlMs: 3_600_000 }],
  ["a name of 256 bytes", { ok: true, deliveryId: "ü".repeat(128) }, { id: "ü".repeat(128), fingerprint: body }],
  [
    "a longer name",
    { ok: true, deliveryId: "ü".repeat(128).concat("x") },
    { id: fingerprint("ü".repeat(128).concat("x")), fingerprint: body },
  ],
  ["no name", { ok: true }, undefined],
])("%s", async (_what, verified, delivery) => {
  expect((await asked({ verify: verify(verified) }))?.delivery).toEqual(delivery as StartRequest["delivery"]);
});

test("without a verifier there is neither a delivery nor a key", async () => {
  const start = await asked({ verify: "none" });
  expect(Object.keys(start ?? {})).toEqual(["workflowId", "payload", "trigger"]);
});
