/**
 * Values that are recorded are JSON. `encode` is strict where `JSON.stringify` is silent, because what is not
 * recorded as it was would come back different after a restart.
 */
import { InvalidError } from "./errors.ts";
import { LIMITS } from "./native/generated.ts";
import { refuseSecrets } from "./services/secrets/known.ts";

/** JSON text of a value, or `undefined` for `undefined`. Throws an `InvalidError` that says what is wrong. */
export function encode(value: unknown, what: string): string | undefined {
  switch (typeof value) {
    case "undefined":
      return undefined;
    case "boolean":
      return value ? "true" : "false";
    default: {
      check(value, { what, keys: [], ancestors: [] });
      const text = JSON.stringify(value);
      if (text !== undefined) checkLength(text, what);
      refuseSecrets(text, what);
      return text;
    }
  }
}

/** A character has three bytes at most, so only long texts are counted. */
function checkLength(text: string, what: string): void {
  if (text.length * 3 <= LIMITS.VALUE_BYTES) return;
  const bytes = Buffer.byteLength(text);
  if (bytes <= LIMITS.VALUE_BYTES) return;
  throw new InvalidError(
    "value_too_large",
    `the ${what} has ${bytes} bytes, at most ${LIMITS.VALUE_BYTES} are recorded`,
  );
}

/** Where in a value the look is: its path is only put together for a message. */
interface Place {
  readonly what: string;
  readonly keys: (string | number)[];
  readonly ancestors: object[];
}

function check(value: unknown, place: Place): void {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) refuse(place, "a string with a lone surrogate");
      return;
    case "number":
      if (!Number.isFinite(value)) refuse(place, String(value));
      return;
    case "bigint":
    case "symbol":
    case "function":
      return refuse(place, `a ${typeof value}`);
    case "object":
      if (value !== null) checkObject(value, place);
      return;
  }
}

function checkObject(value: object, place: Place): void {
  const { what, keys, ancestors } = place;
  if (ancestors.includes(value)) refuse(place, "a cycle");
  if (keys.length >= LIMITS.VALUE_DEPTH) {
    throw new InvalidError("value_too_deep", `the ${what} is nested deeper than ${LIMITS.VALUE_DEPTH} levels`);
  }
  if ("toJSON" in value && typeof value.toJSON === "function") return check(value.toJSON(), place);
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) refuseLost(value, place);
  ancestors.push(value);
  if (isList) {
    for (let index = 0; index < value.length; index += 1) checkField(index, value[index], place);
  } else {
    for (const key of Object.keys(value)) {
      if (!key.isWellFormed()) refuse(place, "a string with a lone surrogate");
      checkField(key, (value as Record<string, unknown>)[key], place);
    }
  }
  ancestors.pop();
}

/** Most objects are: they need not be looked at closely. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What has its content elsewhere than in its fields, of which `JSON.stringify` makes `{}`; and what to record instead. */
const LOST: readonly (readonly [is: (value: object) => boolean, instead: string])[] = [
  [(value) => value instanceof Error, ": record what is wanted of it, like its `message`"],
  [(value) => value instanceof Promise, " (is an `await` missing?)"],
  [(value) => value instanceof Map, ": record an object or a list of its entries"],
  [(value) => value instanceof Set, ": record a list, like [...it]"],
  [(value) => value instanceof RegExp, ": record its `source`"],
  [isBytes, ": record a text, like base64"],
  [(value) => value instanceof Iterator, ": record a list, like [...it]"],
  [isWeak, ", which cannot be read: record what is wanted of it"],
  [isBody, ": record what was read of it, like `await it.text()`"],
];

function isBytes(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isWeak(value: object): boolean {
  return value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef;
}

function isBody(value: object): boolean {
  return (
    value instanceof Response || value instanceof Request || value instanceof Blob || value instanceof ReadableStream
  );
}

/** Prototypes of objects whose content is in their fields: each is looked at once. */
const FINE = new WeakSet<object>();

function refuseLost(value: object, place: Place): void {
  const prototype = Object.getPrototypeOf(value);
  if (FINE.has(prototype)) return;
  const instead = LOST.find(([is]) => is(value))?.[1];
  if (instead === undefined) return void FINE.add(prototype);
  const name = nameOf(value);
  refuse(place, `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}${instead}`);
}

/** Of some built-in objects the class has no name of its own. */
function nameOf(value: object): string {
  const name: unknown = value.constructor?.name;
  const isNamed = typeof name === "string" && name !== "" && name !== "Object" && name !== "Iterator";
  return isNamed ? name : Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function checkField(key: string | number, field: unknown, place: Place): void {
  place.keys.push(key);
  check(field, place);
  place.keys.pop();
}

function refuse({ what, keys }: Place, found: string): never {
  const path = keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  throw new InvalidError("value_invalid", `the ${what} cannot be recorded as JSON: $${path} is ${found}`);
}

/** The value of recorded text. Each call gives a value of its own, so that nobody shares what another may change. */
export function decode(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}
