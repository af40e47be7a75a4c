/** Services: what can be called by `ctx.services`, and what else starts runs. */
import { checkFunction, checkName, invalid } from "../definition/check.ts";
import type { Schema } from "../schema.ts";
import { checkShape, configured, type Given, type Schemas } from "./configuration.ts";
import type { InPlace } from "./secrets/reference.ts";
import type {
  AnyActions,
  AnyTriggers,
  NoTriggers,
  Service,
  ServiceOptions,
  ServiceParts,
  ServiceSetup,
  ServiceType,
} from "./types.ts";

type AnyOptions = ServiceOptions<string, AnyActions, AnyTriggers, Schema | undefined, Schema | undefined>;
export type AnyParts = ServiceParts<AnyActions, AnyTriggers>;

/**
 * Defines a service. What `setup` gives is what handlers call: it is called once for each configuration when the engine
 * starts, before the first run moves.
 *
 * ```ts
 * const greeter = defineService({
 *   id: "greeter",
 *   schema: { config: z.object({ greeting: z.string() }) },
 *   setup: ({ config }) => ({ actions: { greet: (name: string) => `${config.greeting}, ${name}` } }),
 * });
 * ```
 */
export function defineService<
  const Id extends string,
  Actions extends AnyActions,
  Triggers extends AnyTriggers = NoTriggers,
  Config extends Schema | undefined = undefined,
  Auth extends Schema | undefined = undefined,
>(options: ServiceOptions<Id, Actions, Triggers, Config, Auth>): ServiceType<Id, Actions, Triggers, Config, Auth> {
  const { id, name, version, schema = {}, setup } = options;
  checkName("service id", id);
  checkFunction(`Service \`${id}\``, "`setup`", setup);
  for (const part of ["config", "auth"] as const) {
    if (schema[part] !== undefined && schema[part]["~standard"] === undefined) {
      throw invalid(`Service \`${id}\`: \`schema.${part}\` is no Standard Schema.`);
    }
  }
  // From here on only values are known; the types are those of the options.
  const any = options as unknown as AnyOptions;
  const withConfig = (given: Given & { as?: string } = {}) => new ConfiguredService(any, given);
  return { id, name, version, withConfig } as unknown as ServiceType<Id, Actions, Triggers, Config, Auth>;
}

/** What `withConfig` gives. Its configuration is not shown by whatever shows it. */
export class ConfiguredService implements Service<string, unknown, unknown> {
  declare readonly types: { readonly actions: unknown; readonly triggers: unknown };
  readonly key: string;
  readonly id: string;
  readonly version: string | undefined;
  readonly #options: AnyOptions;
  readonly #given: Given;

  constructor(options: AnyOptions, { as, ...given }: Given & { readonly as?: string | undefined }) {
    this.id = options.id;
    this.key = as ?? options.id;
    this.version = options.version;
    this.#options = options;
    this.#given = given;
    checkName("name of a service (`as`)", this.key);
    checkShape(this.id, this.#schemas, given);
  }

  /** What it is configured with, at this start of the engine: its secrets are read now. */
  configuration(inPlace?: InPlace): Given {
    return configured(this.id, this.#schemas, this.#given, inPlace);
  }

  /** What the service is with this configuration of it. */
  async setUp(
    { config, auth }: Given,
    context: Omit<ServiceSetup<undefined, undefined>, "config" | "auth">,
  ): Promise<AnyParts> {
    // The schemas of the options have made them.
    const setup = this.#options.setup as (given: unknown) => AnyParts | Promise<AnyParts>;
    const parts = await setup({ ...context, config, auth });
    checkParts(parts);
    return parts;
  }

  get #schemas(): Schemas {
    return this.#options.schema ?? {};
  }
}

function checkParts(parts: AnyParts): void {
  if (typeof parts !== "object" || parts === null) throw new TypeError("it gives no object of `actions`");
  const { actions = {}, triggers = {}, start, stop, health } = parts;
  const functions = { ...prefixed("actions", actions), ...prefixed("triggers", triggers) };
  for (const [name, given] of Object.entries({ ...functions, ...defined({ start, stop, health }) })) {
    if (typeof given !== "function") throw new TypeError(`\`${name}\` is no function`);
  }
}

function prefixed(prefix: string, functions: object): object {
  return Object.fromEntries(Object.entries(functions).map(([name, given]) => [`${prefix}.${name}`, given]));
}

function defined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, given]) => given !== undefined));
}

/** Checks a list of services: that they are configured, and that each has a name of its own. */
export function checkServices(where: string, services: readonly unknown[]): void {
  const keys = new Set<string>();
  if (!Array.isArray(services)) throw invalid(`${where}: \`services\` is no list.`);
  for (const service of services) {
    if (!(service instanceof ConfiguredService)) {
      throw invalid(`${where}: what stands in \`services\` is no service: give what its .withConfig() gives.`);
    }
    if (keys.has(service.key)) {
      throw invalid(`${where} has two services named \`${service.key}\`: configure one of them \`as\` another name.`);
    }
    keys.add(service.key);
  }
}
