import { expect, test } from "bun:test";
import { type Code, errorOf, type Logger } from "cronflow-ffi";
import { outcomeOf, Refused } from "./failure.ts";
import { Unfit } from "./schema.ts";

/** A log, and what was written to it. */
function listening(): { log: Logger; lines: unknown[][] } {
  const lines: unknown[][] = [];
  return { log: { debug() {}, info() {}, warn() {}, error: (...line) => void lines.push(line) }, lines };
}

const DETAIL = "the detail /var/lib/orders.db";

test.each<[Code, number, { says: boolean; retries: boolean; logs: boolean }]>([
  ["value_invalid", 400, { says: true, retries: false, logs: false }],
  ["run_not_found", 404, { says: true, retries: false, logs: false }],
  ["run_ended", 409, { says: true, retries: false, logs: false }],
  ["too_many_runs", 503, { says: true, retries: true, logs: false }],
  ["disk_full", 503, { says: false, retries: true, logs: true }],
  ["call_timeout", 503, { says: false, retries: false, logs: true }],
  ["database_corrupt", 500, { says: false, retries: false, logs: true }],
  ["invariant_broken", 500, { says: false, retries: false, logs: true }],
])("%s is answered %d", (code, status, { says, retries, logs }) => {
  const { log, lines } = listening();
  const outcome = outcomeOf(errorOf(code, DETAIL), "GET /runs", log);
  expect(outcome).toMatchObject({ status, body: { error: { code } } });
  expect(JSON.stringify(outcome).includes(DETAIL)).toBe(says);
  expect(outcome.headers?.["Retry-After"] !== undefined).toBe(retries);
  expect(lines.length > 0).toBe(logs);
});

test("what may have happened says so", () => {
  expect(outcomeOf(errorOf("call_timeout", DETAIL), "", listening().log).error?.message).toContain("may have happened");
});

test("other errors are told to the log only", () => {
  const { log, lines } = listening();
  const error = new TypeError(DETAIL);
  const outcome = outcomeOf(error, "GET /runs", log);
  expect(outcome).toMatchObject({ status: 500, body: { error: { code: "internal_error" } } });
  expect(JSON.stringify(outcome)).not.toContain(DETAIL);
  expect(lines).toEqual([["GET /runs failed", error]]);
});

test("what is wrong with a request is its sender's business, and not logged", () => {
  const { log, lines } = listening();
  const issues = [{ path: "$.x", message: "give a text" }];
  expect(outcomeOf(new Unfit(issues), "", log)).toMatchObject({ status: 400, body: { error: { issues } } });
  expect(outcomeOf(new Refused(413, "body_too_large", "too large"), "", log)).toMatchObject({ status: 413 });
  expect(lines).toEqual([]);
});
