import { expect, test } from "bun:test";
import { Hono } from "hono";
import type { HttpEngine } from "../engine.ts";
import { Deadlines } from "./deadlines.ts";
import { awaitResult } from "./result.ts";
import { answerOf, recordingLog } from "./webhook.testing.ts";

/** An engine of which only this is asked. */
function engineWith(outcome: HttpEngine["outcome"]): HttpEngine {
  return { outcome, log: () => recordingLog().log } as unknown as HttpEngine;
}

async function answered(
  outcome: HttpEngine["outcome"],
  sender: AbortSignal,
  timeoutMs = 10_000,
  stopWaiting = (): void => {},
) {
  const started = { runId: "run_1", repeated: false, ended: undefined, stopWaiting };
  const answer = await awaitResult(engineWith(outcome), new Deadlines(() => timeoutMs), started, sender);
  return answerOf(new Hono().get("/", answer).request("/"));
}

test("nobody waits any longer when the sender has left", async () => {
  const sender = new AbortController();
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const answer = answered((_started, signal) => {
    signal?.addEventListener("abort", () => resolve());
    sender.abort();
    return new Promise(() => {});
  }, sender.signal);
  await stopped;
  expect((await answer).status).toBe(504);
});

test("the engine is not asked for a sender that has left before", async () => {
  const calls: string[] = [];
  const outcome = async (): Promise<unknown> => calls.push("outcome");
  const seen = await answered(outcome, AbortSignal.abort(), 10_000, () => calls.push("stopWaiting"));
  expect([seen.status, calls]).toEqual([504, ["stopWaiting"]]);
});

test("nobody waits any longer when the time is over", async () => {
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const outcome: HttpEngine["outcome"] = (_started, signal) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        resolve();
        reject(signal.reason);
      });
    });
  const { status, body } = await answered(outcome, new AbortController().signal, 1);
  await stopped;
  expect([status, body]).toMatchObject([504, { runId: "run_1", error: { code: "result_timeout" } }]);
});

test("a failure of the engine's own is no failure of the run", async () => {
  const seen = await answered(() => Promise.reject(new Error("secret")), new AbortController().signal);
  expect(seen).toMatchObject({
    status: 504,
    body: {
      runId: "run_1",
      error: { code: "result_unknown", message: "The run exists; its result is not known yet." },
    },
  });
});
