/** Takes secrets out of whatever leaves the engine: log lines, errors, what is recorded of a trigger. */
import type { Logger } from "../../log.ts";
import { hasSecret, knowsSecrets, masked } from "./known.ts";

/** Deeper than any logger goes. */
const DEPTH = 16;

/** A log that shows no secret. */
export function maskingLog(log: Logger): Logger {
  const line =
    (level: keyof Logger) =>
    (message: string, ...details: unknown[]): void => {
      if (!knowsSecrets()) log[level](message, ...details);
      else log[level](masked(String(message)), ...details.map((detail) => maskedValue(detail)));
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}

/** JSON text without secrets. Only what is in it is masked, so that it stays JSON. */
export function maskedJson(text: string | undefined): string | undefined {
  return text === undefined || !hasSecret(text) ? text : JSON.stringify(maskedValue(JSON.parse(text)));
}

/**
 * The error without secrets: the same if there is none in it. Who catches it may ask for its class, so its texts are
 * replaced in place; when that is not enough, because something deep inside tells it, what can be shown of it takes its
 * place.
 */
export function maskedError(thrown: unknown): unknown {
  if (!knowsSecrets() || !tells(thrown)) return thrown;
  if (!(thrown instanceof Error)) return maskedValue(thrown);
  maskTexts(thrown);
  return maskedValue(thrown);
}

function maskTexts(error: Error): void {
  for (const name of Reflect.ownKeys(error)) {
    const found = Object.getOwnPropertyDescriptor(error, name);
    if (found?.writable !== true) continue;
    const value = name === "cause" ? maskedError(found.value) : found.value;
    Object.defineProperty(error, name, { ...found, value: typeof value === "string" ? masked(value) : value });
  }
}

/** The value if there is no secret in it, otherwise what can be shown of it. */
function maskedValue(value: unknown): unknown {
  if (typeof value === "string") return masked(value);
  if (typeof value !== "object" || value === null || !tells(value)) return value;
  if (value instanceof Error) return shownError(value);
  if (isPlain(value) && isTree(value)) {
    if (Array.isArray(value)) return value.map((item) => maskedValue(item));
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [masked(name), maskedValue(field)]));
  }
  return masked(Bun.inspect(value, { depth: DEPTH }));
}

function shownError({ name, message, stack, cause }: Error): Error {
  const shown = new Error(masked(message), cause === undefined ? {} : { cause: maskedValue(cause) });
  shown.name = masked(name);
  shown.stack = masked(stack ?? `${name}: ${message}`);
  return shown;
}

/** Whether a log could show a secret when it is given this. */
function tells(value: unknown): boolean {
  for (const text of textsIn(value, new Set())) if (hasSecret(text)) return true;
  return false;
}

/** Every text in a value, also those that are only shown by what inspects it. */
function* textsIn(value: unknown, seen: Set<object>): Iterable<string> {
  if (typeof value === "string") yield value;
  if (typeof value !== "object" || value === null || seen.has(value)) return;
  seen.add(value);
  // Inspecting an error reads its source, and says nothing that its properties do not.
  if (!isPlain(value) && !(value instanceof Error)) yield Bun.inspect(value, { depth: DEPTH });
  // A class may tell these by getters, which are nothing of its own.
  if (value instanceof Error) yield* [value.name, value.message].filter((text) => typeof text === "string");
  for (const name of Reflect.ownKeys(value)) {
    yield typeof name === "string" ? name : (name.description ?? "");
    yield* textsIn(Object.getOwnPropertyDescriptor(value, name)?.value, seen);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}

/** Whether nothing in it contains itself. */
function isTree(value: unknown, around: readonly unknown[] = []): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (around.includes(value)) return false;
  return Object.values(value).every((inner) => isTree(inner, [...around, value]));
}
