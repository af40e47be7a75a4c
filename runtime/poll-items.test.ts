import { expect, test } from "bun:test";
import { parts } from "./poll-items.ts";

test.each<[string, string[], string[][]]>([
  ["nothing", [], [[]]],
  ["what fits", ["aaaa", "bbbb"], [["aaaa", "bbbb"]]],
  [
    "what does not fit",
    ["aaaa", "bbbb", "c", "d"],
    [
      ["aaaa", "bbbb"],
      ["c", "d"],
    ],
  ],
  ["what is larger than a part", ["a", "b".repeat(99), "c"], [["a"], ["b".repeat(99)], ["c"]]],
  ["bytes, not characters", ["€€", "€€"], [["€€"], ["€€"]]],
])("parts of %s", (_what, texts, expected) => {
  expect([...parts(texts, 10)]).toEqual(expected);
});
