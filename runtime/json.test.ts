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
  [new Map(), "$ is a Map: record an object or a list of its entries"],
  [new Set(), "$ is a Set: record a list"],
  [new (class Many extends Set {})(), "$ is a Many: record a list"],
  [new RangeError("lost"), "$ is a RangeError: record what is wanted of it, like its `message`"],
  [{ errors: [new AggregateError([])] }, "$.errors[0] is an AggregateError: record what"],
  [[{ status: "rejected", reason: new DOMException("lost") }], "$[0].reason is a DOMException: record what"],
  [{ pattern: /x/ }, "$.pattern is a RegExp: record its `source`"],
  [new Uint8Array(2), "$ is a Uint8Array: record a text, like base64"],
  [new ArrayBuffer(2), "$ is an ArrayBuffer: record a text, like base64"],
  [new DataView(new ArrayBuffer(2)), "$ is a DataView: record a text, like base64"],
  [new WeakMap(), "$ is a WeakMap, which cannot be read"],
  [new WeakSet(), "$ is a WeakSet, which cannot be read"],
  [[1][Symbol.iterator](), "$ is an Array Iterator: record a list, like [...it]"],
  [(function* () {})(), "$ is a Generator: record a list, like [...it]"],
  [new Response("text"), "$ is a Response: record what was read of it, like `await it.text()`"],
  [new Blob(["text"]), "$ is a Blob: record what was read of it"],
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

test("records what has a JSON of its own, and objects of any class with the fields they have", () => {
  class Money {
    readonly #hidden = 1;
    constructor(readonly amount: number) {}
    get isMuch(): boolean {
      return this.amount > this.#hidden;
    }
  }
  class Tagged {
    readonly [Symbol.toStringTag] = "Map";
    readonly a = 1;
  }
  const told = Object.assign(new Error("lost"), { toJSON: () => ({ message: "told" }) });
  const bare = Object.assign(Object.create(null), { a: 1 });
  expect(encode([new Money(5), told, bare, new Tagged(), Buffer.from("a"), new Number(1)], "output")).toBe(
    '[{"amount":5},{"message":"told"},{"a":1},{"a":1},{"type":"Buffer","data":[97]},1]',
  );
});

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
