/** What a management route takes: each description is at once a JSON Schema for the document and a reader. */
import { milliseconds } from "../../duration.ts";
import { InvalidError } from "../../errors.ts";
import type { Issue } from "../../schema.ts";

/** JSON Schema 2020-12, as far as it is used here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly examples?: readonly unknown[];
}

type JsonType = "string" | "integer" | "number" | "boolean" | "object" | "array";

export interface Schema<T> {
  readonly json: JsonSchema;
  /** The value; throws an `Unfit` when it is not of this kind. */
  readonly read: (value: unknown, path: string) => T;
  /** What the text of a query parameter stands for; itself if this is absent. */
  readonly fromText?: (text: string) => unknown;
  /** Of an object: the fields that are known. */
  readonly fields?: Fields;
}

export type Fields = Readonly<Record<string, Schema<unknown>>>;

export interface ObjectSchema<T> extends Schema<T> {
  readonly fields: Fields;
}

/** What is wrong with a value, place by place. */
export class Unfit extends Error {
  override readonly name = "Unfit";
  constructor(readonly issues: readonly Issue[]) {
    super(issues.map(({ path, message }) => `${path}: ${message}`).join("; "));
  }
}

function unfit(path: string, message: string): never {
  throw new Unfit([{ path, message }]);
}

export function text(description: string, { least = 0, most }: { least?: number; most?: number } = {}): Schema<string> {
  return {
    json: {
      type: "string",
      description,
      ...(least > 0 && { minLength: least }),
      ...(most !== undefined && { maxLength: most }),
    },
    read: (value, path) => {
      if (typeof value !== "string") return unfit(path, "give a text");
      if (value.length < least) return unfit(path, `give at least ${least} characters`);
      if (most !== undefined && value.length > most) return unfit(path, `give at most ${most} characters`);
      return value;
    },
  };
}

const RUN_ID = "^run_[0-7OILoil][0-9A-TV-Za-tv-z]{12}$";

export function runId(description: string): Schema<string> {
  return {
    json: { type: "string", pattern: RUN_ID, description },
    read: (value, path) =>
      typeof value === "string" && new RegExp(RUN_ID).test(value) ? value : unfit(path, "give the id of a run"),
  };
}

export function oneOf<const Words extends readonly string[]>(words: Words, description: string): Schema<Words[number]> {
  return {
    json: { type: "string", enum: words, description },
    read: (value, path) => words.find((word) => word === value) ?? unfit(path, `give one of ${words.join(", ")}`),
  };
}

export function whole(minimum: number, maximum: number, description: string): Schema<number> {
  return {
    json: { type: "integer", minimum, maximum, description },
    read: (value, path) =>
      typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum
        ? value
        : unfit(path, `give a whole number from ${minimum} to ${maximum}`),
    fromText: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  };
}

export function flag(description: string): Schema<boolean> {
  return {
    json: { type: "boolean", description },
    read: (value, path) => (typeof value === "boolean" ? value : unfit(path, "give true or false")),
    fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
  };
}

const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A time in a query: ISO-8601 (a date alone is its midnight in UTC), or milliseconds since 1970. */
export function instant(description: string): Schema<number> {
  return {
    json: { type: "string", description, examples: ["2026-01-31T08:00:00Z", "1769846400000"] },
    read: (value, path) => {
      const given = String(value);
      const ms = /^\d{1,15}$/.test(given) ? Number(given) : INSTANT.test(given) ? Date.parse(given) : Number.NaN;
      return Number.isNaN(ms) ? unfit(path, "give a time in ISO-8601, or in milliseconds since 1970") : ms;
    },
  };
}

const NO_DURATION = "give milliseconds, or a text like 90s, 1h30m, PT90S";

/** Milliseconds of a duration as the engine writes them. */
export function duration(description: string): Schema<number> {
  return {
    json: { type: ["number", "string"], minimum: 0, description, examples: [1_500, "90s", "1h30m", "PT90S"] },
    read: (value, path) => {
      // A `Temporal.Duration` does not come by JSON: an object that looks like one must not be called.
      if (typeof value !== "number" && typeof value !== "string") return unfit(path, NO_DURATION);
      try {
        return milliseconds(value);
      } catch (error) {
        if (error instanceof InvalidError) return unfit(path, NO_DURATION);
        throw error;
      }
    },
  };
}

/** Any JSON. */
export function anything(description: string): Schema<unknown> {
  return { json: { description }, read: (value) => value };
}

/** An object that must have these fields, and may have any others; all are given on. */
export function openObject(description: string, fields: Fields = {}): ObjectSchema<Readonly<Record<string, unknown>>> {
  const properties = Object.fromEntries(Object.entries(fields).map(([name, { json }]) => [name, json]));
  const required = Object.keys(fields);
  return {
    fields,
    json: {
      type: "object",
      description,
      ...(required.length > 0 && { properties, required }),
      additionalProperties: true,
    },
    read: (value, path) => {
      if (!isObject(value)) return unfit(path, "give an object");
      for (const [name, field] of Object.entries(fields)) field.read(own(value, name), `${path}.${name}`);
      return value;
    },
  };
}

type Read<F extends Fields> = { readonly [Name in keyof F]?: F[Name] extends Schema<infer T> ? T : never };

/** An object of these fields, each of which may be left out, and no others. */
export function object<const F extends Fields>(fields: F, description?: string): ObjectSchema<Read<F>> {
  return {
    fields,
    json: {
      type: "object",
      ...(description !== undefined && { description }),
      properties: Object.fromEntries(Object.entries(fields).map(([name, { json }]) => [name, json])),
      additionalProperties: false,
    },
    read: (value, path) => {
      if (!isObject(value)) return unfit(path, "give an object");
      // Each field was read by its own schema.
      return readFields(fields, value, path) as Read<F>;
    },
  };
}

function readFields(fields: Fields, value: Record<string, unknown>, path: string): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  const issues: Issue[] = [];
  for (const name of Object.keys(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    try {
      if (field === undefined) unfit(`${path}.${name}`, `is not known; there are ${list(Object.keys(fields))}`);
      read[name] = field.read(value[name], `${path}.${name}`);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      issues.push(...error.issues);
    }
  }
  if (issues.length > 0) throw new Unfit(issues);
  return read;
}

function own(value: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
