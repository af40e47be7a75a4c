import { expect, test } from "bun:test";
import { decode, encode } from "./json.ts";
import { LIMITS } from "./native/generated.ts";

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const deep = Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], 1);

test.each<[unknown, string]>([
  [{ items: [{}, {}, {}, { price: Number.NaN }] }, "$.items[3].price is NaN"],
  [[Number.POSITIVE_INFINITY], "$[0] is Infinity"],
  [{ big: 1n }, "$.big is a bigint"],
  [{ call() {} }, "$.call is a function"],
  [Symbol("x"), "$ is a symbol"],
  ["\ud800", "$ is a string with a lone surrogate"],
  [{ "\ud800": 1 }, "$ is a string with a lone surrogate"],
  [cycle, "$.self is a cycle"],
  [{ later: Promise.resolve() }, "$.later is a Promise (is an `await` missing?)"],
  [new Map(), "$ is a Map"],
  [deep, "nested deeper than 128"],
])("refuses what JSON would change or lose (%#)", (value, expected) => {
  expect(() => encode(value, "output")).toThrow(expected);
});

test.each([[0], [""], [null], [false], [[]], [{}], [{ at: new Date(0) }], ["ü€😀"], [{ a: undefined }]])(
  "records %j as JSON.stringify does",
  (value) => {
    expect(encode(value, "payload")).toBe(JSON.stringify(value));
  },
);

test("records undefined as absent, and the same object twice is no cycle", () => {
  expect(encode(undefined, "output")).toBeUndefined();
  expect(decode(undefined)).toBeUndefined();
  const shared = { a: 1 };
  expect(encode([shared, shared], "output")).toBe('[{"a":1},{"a":1}]');
});

test.each([
  ["a", LIMITS.VALUE_BYTES],
  ["é", LIMITS.VALUE_BYTES / 2],
  ["€", Math.floor(LIMITS.VALUE_BYTES / 3)],
  ["😀", LIMITS.VALUE_BYTES / 4],
])("what is too large is told by its bytes: %s", (character, most) => {
  const quotes = 2;
  const fits = character.repeat(most - Math.ceil(quotes / Buffer.byteLength(character)));
  expect(encode(fits, "payload")).toHaveLength(fits.length + quotes);
  const bytes = Buffer.byteLength(character.repeat(most)) + quotes;
  expect(() => encode(character.repeat(most), "payload")).toThrow(
    `the payload has ${bytes} bytes, at most ${LIMITS.VALUE_BYTES} are recorded`,
  );
});
