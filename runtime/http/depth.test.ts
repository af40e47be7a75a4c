import { expect, test } from "bun:test";
import { isDeeper } from "./depth.ts";

test.each([
  ["[[]]", 2, false],
  ["[[[]]]", 2, true],
  ['{"a":[{}]}', 3, false],
  ['{"a":[{}]}', 2, true],
  ["[[],[],[],[]]", 2, false],
  ["[[[[", 3, true],
  ['["[[[["]', 1, false],
  ['["\\"[[[["]', 1, false],
  ['["\\\\",[]]', 1, true],
  ["]]][[", 1, false],
])("%s is deeper than %d: %p", (text, limit, expected) => {
  expect(isDeeper(text, limit)).toBe(expected);
});
