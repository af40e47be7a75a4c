/** A value that a JSON Schema describes. */
import type { JsonSchema } from "./json-schema.ts";
import type { Random } from "./random.ts";
import { text } from "./texts.ts";

/** `least`: the smallest value there is; `most`: the largest, with everything that may be left out; `any`: one between. */
export type Aim = "least" | "most" | "any";

/** References are followed so deep; beyond, values are made as small as they may be. */
const DEEP = 6;
const TOO_DEEP = 40;
const EDGES = [0, 1, -1, 0.1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
const RANGE = 1_000_000;

export class Values {
  readonly #root: JsonSchema;
  readonly #random: Random;
  readonly #aim: Aim;

  constructor(root: JsonSchema, random: Random, aim: Aim) {
    this.#root = root;
    this.#random = random;
    this.#aim = aim;
  }

  make(): unknown {
    return this.#value(this.#root, 0);
  }

  #aimAt(depth: number): Aim {
    return depth > DEEP ? "least" : this.#aim;
  }

  #value(given: JsonSchema | boolean, depth: number): unknown {
    if (typeof given === "boolean") return this.#anything();
    if (depth > TOO_DEEP) throw new RangeError("the schema refers to itself without an end");
    const schema = this.#resolved(given, depth);
    if ("const" in schema) return schema.const;
    if (schema.enum !== undefined) return this.#oneOf(schema.enum, depth);
    const { type } = schema;
    const kind = Array.isArray(type) ? this.#oneOf(type as readonly string[], depth) : (type ?? guessed(schema));
    switch (kind) {
      case "string":
        return text(schema, this.#random, this.#aimAt(depth));
      case "integer":
      case "number":
        return this.#number(schema, kind === "integer", depth);
      case "boolean":
        return this.#oneOf([false, true], depth);
      case "null":
        return null;
      case "array":
        return this.#array(schema, depth);
      case "object":
        return this.#object(schema, depth);
      default:
        return this.#anything();
    }
  }

  /** The schema without references and alternatives. */
  #resolved(schema: JsonSchema, depth: number): JsonSchema {
    let resolved = schema;
    for (let hop = 0; hop < TOO_DEEP; hop += 1) {
      const { $ref, allOf, anyOf, oneOf, ...rest } = resolved;
      const chosen = [
        ...($ref === undefined ? [] : [this.#referred($ref)]),
        ...(allOf ?? []),
        ...(anyOf === undefined ? [] : [this.#oneOf(anyOf, depth)]),
        ...(oneOf === undefined ? [] : [this.#oneOf(oneOf, depth)]),
      ];
      if (chosen.length === 0) return resolved;
      resolved = chosen.reduce<JsonSchema>((all, part) => (typeof part === "boolean" ? all : both(all, part)), rest);
    }
    return resolved;
  }

  #referred(reference: string): JsonSchema | boolean {
    let found: unknown = this.#root;
    for (const step of reference.replace(/^#\/?/, "").split("/").filter(Boolean)) {
      const key = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
      found = (found as Record<string, unknown> | undefined)?.[key];
    }
    return (found ?? true) as JsonSchema | boolean;
  }

  #number(schema: JsonSchema, isWhole: boolean, depth: number): number {
    const unit = schema.multipleOf ?? (isWhole ? 1 : undefined);
    const nudge = unit ?? 1e-6;
    const least =
      schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + nudge);
    const most =
      schema.maximum ?? (schema.exclusiveMaximum === undefined ? undefined : schema.exclusiveMaximum - nudge);
    const from = least ?? Math.min(-RANGE, (most ?? 0) - RANGE);
    const to = most ?? Math.max(RANGE, from + RANGE);
    const aim = this.#aimAt(depth);
    if (aim !== "any") return stepped(aim === "least" ? (least ?? 0) : to, unit, from, to);
    const edges = [from, to, ...EDGES].filter((edge) => edge >= from && edge <= to);
    const made = this.#random.chance(0.4) ? this.#random.pick(edges) : from + this.#random.next() * (to - from);
    return stepped(made, unit, from, to);
  }

  #array(schema: JsonSchema, depth: number): unknown[] {
    const {
      prefixItems = [],
      items = true,
      minItems = 0,
      maxItems = Math.max(minItems, prefixItems.length) + 3,
    } = schema;
    const least = Math.max(minItems, Math.min(prefixItems.length, maxItems));
    const most = items === false ? least : maxItems;
    const length = this.#count(least, most, depth);
    const made: unknown[] = [];
    for (let tries = 0; made.length < length && tries < length * 10; tries += 1) {
      const next = this.#value(prefixItems[made.length] ?? items, depth + 1);
      const isRepeated = schema.uniqueItems === true && made.some((other) => Bun.deepEquals(other, next));
      if (!isRepeated) made.push(next);
    }
    return made;
  }

  #object(schema: JsonSchema, depth: number): Record<string, unknown> {
    const { properties = {}, required = [], additionalProperties, propertyNames, minProperties = 0 } = schema;
    const made: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(properties)) {
      if (required.includes(name) || this.#isPresent(depth)) made[name] = this.#value(property, depth + 1);
    }
    if (typeof additionalProperties !== "object") return made;
    const few = Math.max(minProperties - Object.keys(made).length, 0);
    for (let more = this.#count(few, few + 3, depth); more > 0; more -= 1) {
      const name = String(this.#value({ minLength: 1, type: "string", ...propertyNames }, depth + 1));
      // Of these names an object cannot be asked as of others.
      if (name !== "__proto__") made[name] = this.#value(additionalProperties, depth + 1);
    }
    return made;
  }

  #isPresent(depth: number): boolean {
    const aim = this.#aimAt(depth);
    return aim === "most" || (aim === "any" && this.#random.chance(0.5));
  }

  #count(least: number, most: number, depth: number): number {
    const aim = this.#aimAt(depth);
    return aim === "least" ? least : aim === "most" ? most : this.#random.whole(least, most);
  }

  #oneOf<T>(list: readonly T[], depth: number): T {
    const aim = this.#aimAt(depth);
    if (aim === "any") return this.#random.pick(list);
    return (aim === "least" ? list[0] : list.at(-1)) as T;
  }

  /** Where nothing is said: what JSON has. */
  #anything(): unknown {
    return this.#random.pick(["text", 0, 1.5, true, null, [], {}, "2026-01-01T00:00:00.000Z", "1"]);
  }
}

function guessed(schema: JsonSchema): string | undefined {
  if (schema.properties !== undefined || schema.additionalProperties !== undefined) return "object";
  if (schema.items !== undefined || schema.prefixItems !== undefined) return "array";
  if (schema.pattern !== undefined || schema.format !== undefined) return "string";
  return undefined;
}

/** What both ask for, as far as one value can do it: of two bounds the tighter one. */
function both(one: JsonSchema, other: JsonSchema): JsonSchema {
  const required = [...new Set([...(one.required ?? []), ...(other.required ?? [])])];
  const properties = { ...one.properties, ...other.properties };
  const merged: Record<string, unknown> = { ...one, ...other };
  for (const key of ["minimum", "minLength", "minItems", "exclusiveMinimum"] as const)
    tighter(merged, key, one, other, Math.max);
  for (const key of ["maximum", "maxLength", "maxItems", "exclusiveMaximum"] as const)
    tighter(merged, key, one, other, Math.min);
  return {
    ...merged,
    ...(required.length > 0 && { required }),
    ...(Object.keys(properties).length > 0 && { properties }),
  };
}

type Bound =
  | "minimum"
  | "minLength"
  | "minItems"
  | "exclusiveMinimum"
  | "maximum"
  | "maxLength"
  | "maxItems"
  | "exclusiveMaximum";

function tighter(
  merged: Record<string, unknown>,
  key: Bound,
  one: JsonSchema,
  other: JsonSchema,
  choose: (...numbers: number[]) => number,
): void {
  const [first, second] = [one[key], other[key]];
  if (first !== undefined && second !== undefined) merged[key] = choose(first, second);
}

/** The nearest multiple within bounds. */
function stepped(value: number, unit: number | undefined, from: number, to: number): number {
  if (unit === undefined) return value;
  const made = Math.round(value / unit) * unit;
  const inside = made < from ? Math.ceil(from / unit) * unit : made > to ? Math.floor(to / unit) * unit : made;
  // 3 × 0.1 is 0.30000000000000004.
  return Number(inside.toPrecision(15));
}
