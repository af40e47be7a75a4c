/** What a service is configured with, checked by its schemas. */
import { CronflowError, InvalidError } from "../errors.ts";
import { type Issue, parse, type Schema } from "../schema.ts";
import { masked } from "./secrets/known.ts";
import { revealed } from "./secrets/reference.ts";

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
export function configured(service: string, schemas: Schemas, given: Given): Given {
  const issues: Issue[] = [];
  const parts = {
    config: part("config", schemas.config, given.config, issues),
    auth: part("auth", schemas.auth, given.auth, issues),
  };
  if (issues.length > 0) throw new ServiceConfigError(service, issues);
  return parts;
}

function part(name: keyof Given, schema: Schema | undefined, given: unknown, issues: Issue[]): unknown {
  if (schema === undefined) {
    if (given !== undefined)
      issues.push({ path: name, message: `this service takes none: it has no \`schema.${name}\`` });
    return undefined;
  }
  try {
    // What is left out altogether is what leaves out every field.
    const parsed = parse(schema, revealed(given ?? {}));
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
