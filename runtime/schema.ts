import type { StandardSchemaV1 } from "@standard-schema/spec";

/** A schema of any library that follows Standard Schema (zod, valibot, arktype …). */
export type Schema = StandardSchemaV1;

/** What a schema gives. */
export type OutputOf<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<S> : unknown;

/** What a schema takes. */
export type InputOf<S> = S extends StandardSchemaV1 ? StandardSchemaV1.InferInput<S> : unknown;

/** What a schema found wrong, in a shape that may leave the process. */
export interface Issue {
  /** Where, like `$.items[3].price`; `$` is the whole value. */
  readonly path: string;
  /** What is wrong there, as the schema says it. */
  readonly message: string;
}

/** What a schema says of a value. */
export type Parsed = { readonly value: unknown } | { readonly issues: Issue[] };

/**
 * The parsed value, or what is wrong: at once, if the schema does not itself wait for something. Schemas of some
 * libraries are functions, so only `~standard` tells them.
 */
export function parse(schema: Schema, value: unknown): Parsed | Promise<Parsed> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(parsed) : parsed(result);
}

function parsed(result: StandardSchemaV1.Result<unknown>): Parsed {
  if (result.issues === undefined) return { value: result.value };
  return { issues: result.issues.map((issue) => ({ path: pathOf(issue.path), message: issue.message })) };
}

function pathOf(path: StandardSchemaV1.Issue["path"]): string {
  let text = "$";
  for (const segment of path ?? []) {
    const key = typeof segment === "object" ? segment.key : segment;
    text += typeof key === "number" ? `[${key}]` : `.${String(key)}`;
  }
  return text;
}
