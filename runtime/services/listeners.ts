/** The triggers of services: each listens for as long as the engine runs, and starts runs of the workflow it was named by. */
import type { ServiceTrigger } from "../definition/triggers.ts";
import type { Definitions } from "../definitions.ts";
import { fingerprint } from "../fingerprint.ts";
import { encode } from "../json.ts";
import type { Logger } from "../log.ts";
import type { StartRequest } from "../session.ts";
import type { Instance } from "./instance.ts";
import { ServiceError } from "./service-error.ts";
import type { Emit } from "./types.ts";

/** Longer ids are known by their hash. */
const LONGEST_ID = 256;

export interface ListenersOptions {
  readonly definitions: Definitions;
  readonly log: Logger;
  /** The started service; `undefined` when a test stands for it. */
  readonly instanceOf: (trigger: ServiceTrigger) => Instance | undefined;
}

/** A trigger that listens. */
interface Listener {
  readonly name: string;
  readonly end: () => unknown;
}

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #abort = new AbortController();
  readonly #listening: Listener[] = [];

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /** Begins to listen. Throws a `ServiceError` that names the trigger that cannot. */
  async begin(start: (request: StartRequest) => Promise<{ readonly runId: string }>): Promise<void> {
    for (const { id, triggers } of this.#options.definitions.currents()) {
      for (const trigger of triggers) if (trigger.type === "service") await this.#listen(id, trigger, start);
    }
  }

  /** Ends what listens, the latest first; resolves when all of it has ended. Never rejects. */
  async end(): Promise<void> {
    this.#abort.abort(new DOMException("the engine stops", "AbortError"));
    const ending = this.#listening.splice(0).reverse();
    await Promise.all(ending.map(({ name, end }) => this.#end(name, end)));
  }

  async #end(name: string, end: () => unknown): Promise<void> {
    try {
      await end();
    } catch (error) {
      this.#options.log.error(`the trigger \`${name}\` failed to end`, error);
    }
  }

  async #listen(
    workflowId: string,
    trigger: ServiceTrigger,
    start: (request: StartRequest) => Promise<{ readonly runId: string }>,
  ): Promise<void> {
    const { service, name, options } = trigger;
    const instance = this.#options.instanceOf(trigger);
    if (instance === undefined) return;
    try {
      const listen = instance.triggers[name];
      if (listen === undefined) throw new TypeError("the service has no such trigger");
      const emit: Emit<unknown> = async (payload, { id } = {}) => {
        this.#abort.signal.throwIfAborted();
        const { runId } = await start(startRequest(workflowId, service.key, name, payload, id));
        return runId;
      };
      const { signal } = this.#abort;
      // The workflow gave the options that this trigger takes: the compiler has checked it.
      const end = await listen(emit, options as never, { signal, log: this.#options.log });
      this.#listening.push({ name: `${service.key}.${name}`, end: end ?? (() => {}) });
    } catch (error) {
      throw new ServiceError(service.key, name, error);
    }
  }
}

function startRequest(workflowId: string, service: string, name: string, payload: unknown, id?: string): StartRequest {
  const text = encode(payload, `payload of \`${service}.${name}\``);
  const trigger = { type: "service", service, name, ...(id !== undefined && { id }) };
  return {
    workflowId,
    payload: text,
    trigger: JSON.stringify(trigger),
    ...(id !== undefined && { delivery: { id: deliveryId(service, name, id), fingerprint: fingerprint(text ?? "") } }),
  };
}

/** Two triggers of one workflow may give the same ids to different messages. */
function deliveryId(service: string, name: string, id: string): string {
  if (typeof id !== "string" || id === "") throw new TypeError("the `id` of what is emitted is no text, or empty");
  const whole = `${service}.${name}:${id.toWellFormed()}`;
  return Buffer.byteLength(whole) > LONGEST_ID ? fingerprint(whole) : whole;
}
