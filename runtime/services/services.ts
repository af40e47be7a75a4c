/** The services of a started engine: one instance of each configuration, whichever workflows use it. */
import type { ServiceTrigger } from "../definition/triggers.ts";
import type { Definition } from "../definition.ts";
import type { Definitions } from "../definitions.ts";
import { UnavailableError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { StartRequest } from "../session.ts";
import { type ActionFigures, type Caller, Calls, type Intercept } from "./calls.ts";
import type { Given } from "./configuration.ts";
import { type ConfiguredService, checkServices } from "./define.ts";
import type { GlobalServices } from "./global.ts";
import { Instance } from "./instance.ts";
import { Listeners } from "./listeners.ts";
import { Patience } from "./patience.ts";
import type { SecretReference } from "./secrets/reference.ts";
import type { AnyService, ServiceEngine } from "./types.ts";

/** What an engine says of its services. */
export interface ServiceSettings {
  /** The services of every workflow. */
  readonly everywhere?: readonly AnyService[] | undefined;
  /** What services see of the engine. */
  readonly engine?: ServiceEngine;
  /** Gets one line per call, at debug level. Default: none are written. */
  readonly callLog?: Logger | undefined;
  /** For tests: asked before each call of an action, with the service's key. */
  readonly intercept?: Intercept;
  /** For tests: services of which nothing is real. They are not set up, and their triggers do not listen. */
  readonly isReplaced?: (key: string) => boolean;
  /** For tests: what stands for a secret; of workflows, asked when a handler wants it. Default: all are read at the start. */
  readonly secretOf?: (reference: SecretReference) => string;
}

export interface ServicesOptions extends ServiceSettings {
  readonly definitions: Definitions;
  readonly log: Logger;
}

/** How long what has begun may take to stop when what comes after it does not begin. */
const PATIENCE_MS = 10_000;
/** A service that needs longer to begin is told of. */
const SLOW_START_MS = 10_000;
/** A service that needs longer to say how it is, is not well. */
const HEALTH_MS = 2_000;

/** How a service is. */
export interface ServiceHealth {
  readonly service: string;
  readonly version?: string;
  readonly healthy: boolean;
  readonly message?: string;
}

export class Services {
  readonly #options: ServicesOptions;
  readonly #calls: Calls;
  readonly #listeners: Listeners;
  readonly #instances = new Map<ConfiguredService, Instance>();
  /** Those that are not stopped yet, in the order in which they began. */
  readonly #begun: Instance[] = [];
  readonly #ofWorkflows = new Map<Definition, ReadonlyMap<string, ConfiguredService>>();
  readonly #secrets = new Map<Definition, Readonly<Record<string, string>>>();

  constructor(options: ServicesOptions) {
    this.#options = options;
    this.#calls = new Calls({ log: options.callLog, intercept: options.intercept });
    this.#listeners = new Listeners({
      definitions: options.definitions,
      log: options.log,
      instanceOf: ({ service }) => this.#instances.get(service),
    });
  }

  /**
   * Reads all secrets, then begins every service, one after the other. If one fails, those before it are stopped, and it is
   * named.
   */
  async start(): Promise<void> {
    const { everywhere = [], definitions, isReplaced, secretOf } = this.#options;
    checkServices("The engine", everywhere);
    for (const versions of definitions.all()) for (const definition of versions) this.#readSecrets(definition);
    const needed = [...servicesIn(everywhere, definitions)].filter(({ key }) => isReplaced?.(key) !== true);
    const configured = needed.map((service) => [service, service.configuration(secretOf)] as const);
    try {
      for (const [service, configuration] of configured) await this.#begin(service, configuration);
    } catch (error) {
      const patience = new Patience(PATIENCE_MS);
      await this.stop(patience);
      patience.end();
      throw error;
    }
  }

  /** Lets the triggers of services listen. */
  listen(start: (request: StartRequest) => Promise<{ readonly runId: string }>): Promise<void> {
    return this.#listeners.begin(start);
  }

  /** Resolves when no trigger listens any longer. Never rejects. */
  endTriggers(): Promise<void> {
    return this.#listeners.end();
  }

  /** Stops what has begun, the latest first. What takes longer than the patience is left to itself. Never rejects. */
  async stop(patience: Patience): Promise<void> {
    for (const instance of this.#begun.splice(0).reverse()) {
      if (!(await patience.has(instance.stop()))) {
        this.#options.log.error(`service \`${instance.key}\` did not stop in time, and is left`);
      }
    }
  }

  /** Stops everything and waits for nothing. */
  abandon(): void {
    void this.endTriggers();
    for (const instance of this.#begun.splice(0).reverse()) void instance.stop();
  }

  /** `ctx.services` of an attempt. */
  of(definition: Definition, caller: Caller): GlobalServices {
    const { everywhere = [] } = this.#options;
    let services = this.#ofWorkflows.get(definition);
    if (services === undefined) {
      // A workflow's own stands for one of the same name that all have.
      services = new Map([...everywhere, ...(definition.options.services ?? [])].map((one) => [one.key, real(one)]));
      this.#ofWorkflows.set(definition, services);
    }
    const entries = [...services].map(([key, service]) => [key, this.#callable(key, service, caller)] as const);
    // The compiler knows them by what the workflow and `GlobalServices` say.
    return Object.fromEntries(entries) as unknown as GlobalServices;
  }

  /** `ctx.secrets` of a workflow. */
  secretsOf(definition: Definition): Readonly<Record<string, string>> {
    return this.#secrets.get(definition) ?? {};
  }

  /** What has been called since the engine was started. */
  figures(): readonly ActionFigures[] {
    return this.#calls.figures();
  }

  /** How every service is, asked now. */
  health(): Promise<readonly ServiceHealth[]> {
    return Promise.all([...this.#instances.values()].map(healthOf));
  }

  async #begin(service: ConfiguredService, configuration: Given): Promise<void> {
    const { log, engine = NO_ENGINE } = this.#options;
    const instance = new Instance(service, configuration, { engine, log });
    this.#instances.set(service, instance);
    this.#begun.push(instance);
    const slow = setTimeout(
      () => log.warn(`service \`${service.key}\` has not begun yet; the start of the engine waits for it`),
      SLOW_START_MS,
    );
    try {
      await instance.start();
    } finally {
      clearTimeout(slow);
    }
  }

  /** The actions of a service, as a handler calls them. */
  #callable(key: string, service: ConfiguredService, caller: Caller): object {
    const actions = this.#instances.get(service)?.actions ?? {};
    const action =
      (name: string) =>
      (...args: unknown[]): unknown =>
        this.#calls.callAction(key, actions, name, args, caller);
    if (this.#options.isReplaced?.(key) !== true) {
      return Object.fromEntries(Object.keys(actions).map((name) => [name, action(name)]));
    }
    // What has not been set up has no list of actions: whatever is called is asked for.
    return new Proxy(
      {},
      { get: (_, name) => (typeof name === "symbol" || name === "then" ? undefined : action(name)) },
    );
  }

  #readSecrets(definition: Definition): void {
    const { secretOf } = this.#options;
    const secrets: Record<string, string> = {};
    for (const [name, found] of Object.entries<SecretReference>(definition.options.secrets ?? {})) {
      const read = secretOf === undefined ? { value: found.reveal() } : { get: () => secretOf(found) };
      // Defined, so that a secret `__proto__` is a secret.
      Object.defineProperty(secrets, name, { ...read, enumerable: true });
    }
    this.#secrets.set(definition, secrets);
  }
}

/** What is checked when it is defined is a configured service. */
function real(service: AnyService): ConfiguredService {
  return service as ConfiguredService;
}

/** Each once: those of the engine, those of the workflows, those that are only listened to. */
function servicesIn(everywhere: readonly AnyService[], definitions: Definitions): Set<ConfiguredService> {
  const found = new Set(everywhere.map(real));
  for (const versions of definitions.all()) {
    for (const { options } of versions) for (const service of options.services ?? []) found.add(real(service));
  }
  for (const { triggers } of definitions.currents()) {
    for (const trigger of triggers) if (trigger.type === "service") found.add((trigger as ServiceTrigger).service);
  }
  return found;
}

async function healthOf(instance: Instance): Promise<ServiceHealth> {
  const { key: service, service: configured } = instance;
  const about = { service, ...(configured.version !== undefined && { version: configured.version }) };
  const patience = new Patience(HEALTH_MS);
  try {
    const isAnswered = await patience.has(instance.health());
    return isAnswered ? { ...about, healthy: true } : { ...about, healthy: false, message: "it does not answer" };
  } catch (error) {
    return { ...about, healthy: false, message: (error as Error).message };
  } finally {
    patience.end();
  }
}

const refuse = async (): Promise<never> => {
  throw new UnavailableError("closed", "Services cannot use this engine.");
};
/** Of a session that is opened without an engine around it. */
const NO_ENGINE: ServiceEngine = { trigger: refuse, execute: refuse, publishEvent: refuse, resume: refuse };
