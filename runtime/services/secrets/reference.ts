/** Secrets by reference: what is written down is where a secret is found, never what it is. */
import { readFileSync } from "node:fs";
import { InvalidError } from "../../errors.ts";
import { keepSecret, SHORTEST_SECRET } from "./known.ts";

/** Where a secret is found: an environment variable, or a file that has nothing else in it. */
export type SecretSource = `env:${string}` | `file:${string}`;

/** Stands for a secret wherever a text is configured. Whatever shows it, shows where the secret is found. */
export class SecretReference {
  readonly #kind: string;
  readonly #place: string;

  constructor(source: SecretSource) {
    const [, kind, place] = /^(env|file):(.+)$/s.exec(String(source)) ?? [];
    if (kind === undefined || place === undefined) {
      // What is not a source may be a secret somebody has written down here: it is not shown.
      throw new InvalidError("config_invalid", 'secret() takes "env:NAME" or "file:/path".');
    }
    this.#kind = kind;
    this.#place = place;
  }

  /**
   * The secret itself, read now. From now on it is masked in everything that is logged, and refused in everything that
   * is recorded. Throws an `InvalidError` when it is missing, or has fewer than 8 characters.
   */
  reveal(): string {
    const value = this.#kind === "env" ? this.#variable() : this.#file();
    if (value.length < SHORTEST_SECRET) {
      throw new InvalidError("config_invalid", `${this} has fewer than ${SHORTEST_SECRET} characters.`);
    }
    keepSecret(value, this.toString());
    return value;
  }

  #variable(): string {
    const value = process.env[this.#place];
    if (value !== undefined && value !== "") return value;
    throw new InvalidError("config_invalid", `${this} is missing: the environment variable is not set.`);
  }

  /** Editors end a file with a newline, which is none of the secret. */
  #file(): string {
    try {
      return readFileSync(this.#place, "utf8").replace(/\r?\n$/, "");
    } catch (error) {
      throw new InvalidError("config_invalid", `${this} is missing: ${(error as Error).message}`);
    }
  }

  /** `secret(env:NAME)`: where it is found, never what it is. */
  toString(): string {
    return `secret(${this.#kind}:${this.#place})`;
  }

  /** The same: a reference that is recorded tells no secret. */
  toJSON(): string {
    return this.toString();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** A secret by where it is found: `secret("env:SLACK_TOKEN")`, `secret("file:/run/secrets/slack")`. */
export function secret(source: SecretSource): SecretReference {
  return new SecretReference(source);
}

/** A configuration in which secrets may stand for texts. */
export type WithSecrets<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? T
    : T extends string
      ? T | SecretReference
      : T extends number | boolean | bigint | symbol | null | undefined | ((...args: never[]) => unknown)
        ? T
        : { [K in keyof T]: WithSecrets<T[K]> };

/** What is put in the place of a secret. */
export type InPlace = (reference: SecretReference) => unknown;

/** The secret itself, read now. */
export const reveal: InPlace = (reference) => reference.reveal();

/**
 * The value with all secrets in place. What is neither a list nor a plain object is taken as it is.
 *
 * @param inPlace Default: the secrets are read.
 */
export function revealed(value: unknown, inPlace: InPlace = reveal, copies: Map<object, unknown> = new Map()): unknown {
  if (value instanceof SecretReference) return inPlace(value);
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    copies.set(value, copy);
    for (const item of value) copy.push(revealed(item, inPlace, copies));
    return copy;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy = {};
  copies.set(value, copy);
  for (const [name, field] of Object.entries(value)) {
    // Defined, so that a field `__proto__` is a field.
    Object.defineProperty(copy, name, {
      value: revealed(field, inPlace, copies),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}
