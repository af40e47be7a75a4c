/** What a schema takes, as JSON Schema: by what its library says itself. */
import { InvalidError } from "../../errors.ts";
import type { Schema } from "../../schema.ts";

/** The part of JSON Schema (2020-12) that values are made by. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema | boolean>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly allOf?: readonly (JsonSchema | boolean)[];
  readonly anyOf?: readonly (JsonSchema | boolean)[];
  readonly oneOf?: readonly (JsonSchema | boolean)[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly prefixItems?: readonly (JsonSchema | boolean)[];
  readonly items?: JsonSchema | boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema | boolean>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly minProperties?: number;
}

/** Standard JSON Schema: https://standardschema.dev/json-schema */
interface Converter {
  input(options: { readonly target: string; readonly libraryOptions?: Record<string, unknown> }): JsonSchema;
}

const TARGET = "draft-2020-12";

/** Throws an `InvalidError` that says what to do when the library of the schema has no JSON Schema. */
export function jsonSchemaOf(schema: Schema): JsonSchema {
  const standard = schema["~standard"] as Schema["~standard"] & { readonly jsonSchema?: Converter };
  const converter = standard.jsonSchema ?? (standard.vendor === "valibot" ? valibotConverter(schema) : undefined);
  if (converter === undefined) {
    throw cannot(standard.vendor, "it has no JSON Schema");
  }
  try {
    return converter.input({ target: TARGET, libraryOptions: LIBRARY_OPTIONS[standard.vendor] ?? {} });
  } catch (error) {
    throw cannot(standard.vendor, (error as Error).message);
  }
}

interface ZodOverride {
  readonly zodSchema: { readonly _zod: { readonly def: { readonly type: string } } };
  readonly jsonSchema: Record<string, unknown>;
}

/** How each library writes down what JSON Schema cannot say: as anything; what fits is found by trying. */
const LIBRARY_OPTIONS: Readonly<Record<string, Record<string, unknown>>> = {
  zod: {
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }: ZodOverride) => {
      if (zodSchema._zod.def.type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time" });
    },
  },
  valibot: { errorMode: "ignore" },
  arktype: { fallback: ({ base }: { readonly base: unknown }) => base },
};

/** Schemas of valibot do not know their JSON Schema: a package of its own does. */
function valibotConverter(schema: Schema): Converter {
  try {
    const { toJsonSchema } = require("@valibot/to-json-schema") as {
      toJsonSchema: (schema: unknown, options: Record<string, unknown>) => JsonSchema;
    };
    return {
      input: ({ libraryOptions }) => toJsonSchema(schema, { ...libraryOptions, typeMode: "input", target: TARGET }),
    };
  } catch (error) {
    throw cannot("valibot", `install \`@valibot/to-json-schema\` (${(error as Error).message})`);
  }
}

function cannot(vendor: string, why: string): InvalidError {
  return new InvalidError(
    "config_invalid",
    `No values can be made for a schema of ${vendor}: ${why}. Give a function that makes one: { make: (random) => … }.`,
  );
}
