/**
 * Values that are recorded are JSON. `encode` is strict where `JSON.stringify` is silent, because what is not
 * recorded as it was would come back different after a restart.
 */
import { InvalidError } from "./errors.ts";
import { LIMITS } from "./native/generated.ts";

/** JSON text of a value, or `undefined` for `undefined`. Throws an `InvalidError` that names the path. */
export function encode(value: unknown, what: string): string | undefined {
  switch (typeof value) {
    case "undefined":
      return undefined;
    case "boolean":
      return value ? "true" : "false";
    default: {
      check(value, what, "$", 0, []);
      const text = JSON.stringify(value);
      if (text !== undefined && text.length > LIMITS.VALUE_BYTES) {
        throw new InvalidError(
          "value_too_large",
          `the ${what} has ${text.length} characters, at most ${LIMITS.VALUE_BYTES} bytes are recorded`,
        );
      }
      return text;
    }
  }
}

function check(value: unknown, what: string, path: string, depth: number, ancestors: object[]): void {
  switch (typeof value) {
    case "string":
      if (!value.isWellFormed()) refuse(what, path, "a string with a lone surrogate");
      return;
    case "number":
      if (!Number.isFinite(value)) refuse(what, path, String(value));
      return;
    case "bigint":
    case "symbol":
    case "function":
      return refuse(what, path, `a ${typeof value}`);
    case "object":
      if (value !== null) checkObject(value, what, path, depth, ancestors);
      return;
  }
}

function checkObject(value: object, what: string, path: string, depth: number, ancestors: object[]): void {
  if (ancestors.includes(value)) refuse(what, path, "a cycle");
  if (depth >= LIMITS.VALUE_DEPTH) {
    throw new InvalidError("value_too_deep", `the ${what} is nested deeper than ${LIMITS.VALUE_DEPTH} levels`);
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return check(value.toJSON(), what, path, depth, ancestors);
  }
  if (value instanceof Promise) refuse(what, path, "a Promise (is an `await` missing?)");
  if (value instanceof Map || value instanceof Set) refuse(what, path, `a ${value.constructor.name}`);
  ancestors.push(value);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      check(value[index], what, `${path}[${index}]`, depth + 1, ancestors);
    }
  } else {
    for (const [key, field] of Object.entries(value)) {
      check(key, what, path, depth, ancestors);
      check(field, what, `${path}.${key}`, depth + 1, ancestors);
    }
  }
  ancestors.pop();
}

function refuse(what: string, path: string, found: string): never {
  throw new InvalidError("value_invalid", `the ${what} cannot be recorded as JSON: ${path} is ${found}`);
}

/** The value of recorded text. Each call gives a value of its own, so that nobody shares what another may change. */
export function decode(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text);
}
