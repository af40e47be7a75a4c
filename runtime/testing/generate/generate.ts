/** Values for tests, made of the schemas that workflows have anyway. */
import { InvalidError } from "../../errors.ts";
import { encode } from "../../json.ts";
import type { Recorded } from "../../recorded.ts";
import { type InputOf, type OutputOf, parse, type Schema } from "../../schema.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import { Random } from "./random.ts";
import { type Aim, Values } from "./value.ts";

export type { Random } from "./random.ts";

/** Which value is made. */
export interface GenerateOptions {
  /** The same seed gives the same value. Default 0. */
  readonly seed?: number;
  /** Makes a value, for schemas whose library has no JSON Schema, or that only some values fit. */
  readonly make?: (random: Random) => unknown;
}

/** Which values are made, and how many. */
export interface SampleOptions extends GenerateOptions {
  /** How many. Default 20. */
  readonly count?: number;
}

/** How often a value is made before it is said that none fits. */
const TRIES = 200;

/**
 * A value that the schema takes, such as a sender would send it. It is the same for the same seed, and checked by the
 * schema itself. Values at the edges come often: zero, bounds, empty and long texts, other alphabets, what is optional
 * absent. Schemas of zod, valibot (with `@valibot/to-json-schema`) and arktype are read; for others give `make`.
 */
export function generate<S extends Schema>(schema: S, options: GenerateOptions = {}): InputOf<S> {
  return made(schema, options, "any").value as InputOf<S>;
}

/** The same, as the schema gives it: what `ctx.payload` is when such a value has come in. */
export function generatePayload<S extends Schema>(schema: S, options: GenerateOptions = {}): Recorded<OutputOf<S>> {
  const { parsed } = made(schema, options, "any");
  const text = encode(parsed, "generated payload");
  return (text === undefined ? undefined : JSON.parse(text)) as Recorded<OutputOf<S>>;
}

/** Several values: the smallest, the largest with all that is optional, and others. */
export function samples<S extends Schema>(schema: S, { count = 20, ...options }: SampleOptions = {}): InputOf<S>[] {
  const { seed = 0 } = options;
  const aims = Array.from({ length: count }, (_, index): Aim => (["least", "most"] as const)[index] ?? "any");
  return aims.map((aim, index) => made(schema, { ...options, seed: seed + index }, aim).value as InputOf<S>);
}

interface Made {
  readonly value: unknown;
  /** What the schema makes of it. */
  readonly parsed: unknown;
}

function made(schema: Schema, { seed = 0, make }: GenerateOptions, aim: Aim): Made {
  if (!Number.isSafeInteger(seed)) throw invalid(`\`seed\` is ${seed}; give a whole number.`);
  const random = new Random(seed);
  const described = make === undefined ? jsonSchemaOf(schema) : undefined;
  let refusal = "";
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    // The edges that were aimed at may be what does not fit.
    const value = make?.(random) ?? (described && new Values(described, random, attempt === 0 ? aim : "any").make());
    const result = parse(schema, structuredClone(value));
    if (result instanceof Promise) {
      result.catch(() => {});
      throw invalid("The schema answers later: values can only be made for schemas that answer at once.");
    }
    if ("value" in result) return { value, parsed: result.value };
    refusal = result.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  }
  throw invalid(
    `No value was found that the schema takes; of the last it said: ${refusal}. Give a function that makes one: { make: (random) => … }.`,
  );
}

function invalid(message: string): InvalidError {
  return new InvalidError("config_invalid", message);
}
