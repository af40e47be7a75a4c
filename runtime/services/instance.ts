/** A configured service from the start of the engine to its stop. */
import type { Logger } from "../log.ts";
import type { Given } from "./configuration.ts";
import type { AnyParts, ConfiguredService } from "./define.ts";
import { ServiceError } from "./service-error.ts";
import type { AnyActions, AnyTriggers, ServiceEngine } from "./types.ts";

export interface InstanceOptions {
  readonly engine: ServiceEngine;
  readonly log: Logger;
}

export class Instance {
  readonly #abort = new AbortController();
  readonly #configuration: Given;
  #parts: AnyParts = {};
  #isStarted = false;

  constructor(
    readonly service: ConfiguredService,
    /** Secrets in place. Not shown by whatever shows the instance. */
    configuration: Given,
    readonly options: InstanceOptions,
  ) {
    this.#configuration = configuration;
  }

  get key(): string {
    return this.service.key;
  }

  get actions(): AnyActions {
    return this.#parts.actions ?? {};
  }

  get triggers(): AnyTriggers {
    return this.#parts.triggers ?? {};
  }

  /** Throws a `ServiceError` that says which of the two has failed. */
  async start(): Promise<void> {
    const { engine, log } = this.options;
    const { signal } = this.#abort;
    this.#parts = await this.#named("setup", () => this.service.setUp(this.#configuration, { engine, log, signal }));
    await this.#named("start", () => this.#parts.start?.());
    this.#isStarted = true;
  }

  /** Resolves when the service has stopped. What it throws is logged: nothing else can be done about it. */
  async stop(): Promise<void> {
    this.#abort.abort(new DOMException("the engine stops", "AbortError"));
    try {
      await this.#named("stop", () => this.#parts.stop?.());
    } catch (error) {
      this.options.log.error(`service \`${this.key}\` failed to stop`, error);
    }
  }

  /** Resolves when the service can work; throws why it cannot. */
  async health(): Promise<void> {
    if (this.#isStarted) await this.#named("health", () => this.#parts.health?.());
  }

  async #named<T>(what: string, call: () => T): Promise<Awaited<T>> {
    try {
      return await call();
    } catch (error) {
      throw new ServiceError(this.key, what, error);
    }
  }
}
