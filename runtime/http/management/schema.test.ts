import { expect, test } from "bun:test";
import { duration } from "./schema.ts";

test.each([[{ total: 1 }], [{ total: null }], [[]], [null], [true], ["x".repeat(1_000)], [-1]])(
  "%p is no duration",
  (value) => {
    const read = () => duration("How long.").read(value, "$.delay");
    expect(read).toThrow("$.delay: give milliseconds, or a text like");
  },
);

test("a duration is a number or a text", () => {
  expect([1_500, "90s", "PT90S"].map((value) => duration("How long.").read(value, "$"))).toEqual([
    1_500, 90_000, 90_000,
  ]);
});
