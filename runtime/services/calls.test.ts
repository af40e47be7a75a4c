/** The one way to every action, and what may stand for it. */
import { expect, test } from "bun:test";
import { NonRetryableError, ServiceError } from "cronflow-ffi";
import { isRetryable } from "../failure.ts";
import { Calls, type Intercept } from "./calls.ts";

const caller = { run: "run_1", step: "x" };
const actions = { add: (a: number, b: number) => a + b, later: async (a: number) => a };

test("what intercepts is asked first, and may answer at once or later", async () => {
  const asked: unknown[] = [];
  const intercept: Intercept = (service, action, args) => {
    asked.push([service, action, args]);
    return action === "add" ? { handled: true, result: "mocked" } : { handled: false };
  };
  const calls = new Calls({ intercept });
  expect(calls.callAction("s", actions, "add", [1, 2], caller)).toBe("mocked");
  expect(await calls.callAction("s", actions, "later", [3], caller)).toBe(3);
  expect(asked).toEqual([
    ["s", "add", [1, 2]],
    ["s", "later", [3]],
  ]);
  expect(calls.figures()).toMatchObject([
    { service: "s", action: "add", calls: 1, failures: 0 },
    { service: "s", action: "later", calls: 1, failures: 0 },
  ]);
});

test("what an interceptor throws, or answers by a rejection, is what the action throws", async () => {
  const calls = new Calls({
    intercept: (_service, action) => {
      if (action === "add") throw new NonRetryableError("mocked");
      return { handled: true, result: Promise.reject(new TypeError("later")) };
    },
  });
  expect(() => calls.callAction("s", actions, "add", [1, 2], caller)).toThrow("s.add: mocked");
  await expect(calls.callAction("s", actions, "later", [], caller)).rejects.toThrow("s.later: later");
  expect(calls.figures().map(({ failures }) => failures)).toEqual([1, 1]);
});

test("an error of a service is as final as its cause", () => {
  expect(isRetryable(new ServiceError("s", "a", new NonRetryableError("never")))).toBe(false);
  expect(isRetryable(new ServiceError("s", "a", new TypeError("maybe")))).toBe(true);
  expect(isRetryable(new ServiceError("s", "a", "text"))).toBe(true);
});
