/** What a service is configured with, checked by its schemas. */
import { CronflowError, InvalidError } from "../errors.ts";
import { type Issue, type Parsed, parse, type Schema } from "../schema.ts";
import { masked } from "./secrets/known.ts";
import { type InPlace, reveal, revealed, SecretReference } from "./secrets/reference.ts";

/** A service is configured wrong. */
export class ServiceConfigError extends InvalidError {
  /** The name of the class. */
  override readonly name: string = "ServiceConfigError";

  constructor(
    /** The id of the service. */
    readonly service: string,
    /** All that is wrong, with paths like `config.url`. */
    readonly issues: readonly Issue[],
  ) {
    const texts = issues.map(({ path, message }) => `${path}: ${message}`);
    super("config_invalid", `The configuration of service \`${service}\` is not valid: ${texts.join("; ")}`);
  }
}

export interface Schemas {
  readonly config?: Schema | undefined;
  readonly auth?: Schema | undefined;
}

/** What the user gave. */
export interface Given {
  readonly config?: unknown;
  readonly auth?: unknown;
}

/** What the schemas make of it, with all secrets in place. Throws a `ServiceConfigError` with every issue. */
export function configured(service: string, schemas: Schemas, given: Given, inPlace: InPlace = reveal): Given {
  return checked(service, schemas, given, (schema, part) => parse(schema, revealed(part, inPlace)));
}

/**
 * Throws a `ServiceConfigError` with every issue that there is whatever the secrets are: they are not read, so that a
 * program can be imported where they are not.
 */
export function checkShape(service: string, schemas: Schemas, given: Given): void {
  checked(service, schemas, given, parseAround);
}

type Look = (schema: Schema, part: unknown) => Parsed | Promise<Parsed>;

function checked(service: string, schemas: Schemas, given: Given, look: Look): Given {
  const issues: Issue[] = [];
  const parts = {
    config: part("config", schemas.config, given.config, look, issues),
    auth: part("auth", schemas.auth, given.auth, look, issues),
  };
  if (issues.length > 0) throw new ServiceConfigError(service, issues);
  return parts;
}

function part(name: keyof Given, schema: Schema | undefined, given: unknown, look: Look, issues: Issue[]): unknown {
  if (schema === undefined) {
    if (given !== undefined)
      issues.push({ path: name, message: `this service takes none: it has no \`schema.${name}\`` });
    return undefined;
  }
  try {
    // What is left out altogether is what leaves out every field.
    const parsed = look(schema, given ?? {});
    if (parsed instanceof Promise) {
      // Whatever it will say comes too late.
      parsed.catch(() => {});
      issues.push({
        path: name,
        message: `its schema (\`schema.${name}\`) answers later: use one that answers at once`,
      });
    } else if ("value" in parsed) return parsed.value;
    else
      for (const { path, message } of parsed.issues)
        issues.push({ path: name + path.slice(1), message: masked(message) });
  } catch (error) {
    // A secret that is missing.
    if (!(error instanceof CronflowError)) throw error;
    issues.push({ path: name, message: error.message });
  }
  return undefined;
}

/**
 * What a schema says of everything but the secrets. It is given the references themselves, which are not of the type that
 * it wants there: so it says what is wrong beside them, and does not compare them with anything.
 */
function parseAround(schema: Schema, part: unknown): Parsed | Promise<Parsed> {
  const secrets = [...placesOfSecrets(part)];
  if (secrets.length === 0) return parse(schema, part);
  const parsed = parseOrNothing(schema, part);
  if ("value" in parsed) return parsed;
  const issues = parsed.issues.filter(({ path }) => !secrets.some((place) => isAlong(place, path)));
  return issues.length === 0 ? { value: undefined } : { issues };
}

/**
 * A schema may take for granted that a text is one, and break: some libraries then throw, some try again and answer later.
 * Whatever is wrong, the start of the engine tells, which has the text.
 */
function parseOrNothing(schema: Schema, part: unknown): Parsed {
  const nothing = { value: undefined };
  try {
    const parsed = parse(schema, part);
    if (!(parsed instanceof Promise)) return parsed;
    parsed.catch(() => {});
    return nothing;
  } catch {
    return nothing;
  }
}

/** Paths of the references, like those of issues. */
function* placesOfSecrets(value: unknown, path = "$", around: readonly unknown[] = []): Iterable<string> {
  if (value instanceof SecretReference) yield path;
  else if (typeof value === "object" && value !== null && !around.includes(value)) {
    for (const [key, field] of Object.entries(value))
      yield* placesOfSecrets(field, `${path}.${key}`, [...around, value]);
  }
}

/** Whether one of two paths leads to the other. Some libraries write places in lists as numbers, some as texts. */
function isAlong(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => `${path.replace(/\[(\d+)\]/g, ".$1")}.`) as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}
