import { expect, test } from "bun:test";
import { InvalidError } from "cronflow-ffi";
import { type Duration, milliseconds } from "./duration.ts";

test.each<[Duration, number]>([
  [0, 0],
  [1_500, 1_500],
  ["500ms", 500],
  ["30s", 30_000],
  ["15m", 900_000],
  ["36h", 129_600_000],
  ["3d", 259_200_000],
  ["2w", 1_209_600_000],
  ["1h30m", 5_400_000],
  ["1.5s", 1_500],
  ["PT90S", 90_000],
  ["P1DT2H", 93_600_000],
  [{ total: () => 250 }, 250],
])("reads %p as %d ms", (duration, expected) => {
  expect(milliseconds(duration)).toBe(expected);
});

test.each([
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  "",
  "5",
  "5 minutes",
  "1x",
  "P",
  "PT",
  "-5s",
  "200000d",
  null,
  {},
])("refuses %p and shows it", (duration) => {
  const isNumber = typeof duration === "number";
  const seen = isNumber ? String(duration) : JSON.stringify(duration);
  expect(() => milliseconds(duration as Duration)).toThrow(`${seen} is not a duration`);
  expect(() => milliseconds(duration as Duration)).toThrow(InvalidError);
});
