/** A started engine: its core, pump and executor, from `start` to `stop`. */
import type { Clock } from "./clock.ts";
import type { Definitions } from "./definitions.ts";
import { errorOf, InvalidError } from "./errors.ts";
import { Executor } from "./executor.ts";
import { type LimitKeys, limitKeys } from "./limit-keys.ts";
import type { Logger } from "./log.ts";
import type { RunMemory } from "./memory.ts";
import type { Core } from "./native/binding.ts";
import type { ErrorMessage, ResultMessage, RunRecordMessage, UnattendedMessage } from "./native/protocol.ts";
import { Polls } from "./polls.ts";
import { Pump } from "./pump.ts";
import { Patience } from "./services/patience.ts";
import { refuseSecrets } from "./services/secrets/known.ts";
import { maskedJson } from "./services/secrets/masking.ts";
import { type ServiceSettings, Services } from "./services/services.ts";
import type { ReadState } from "./state.ts";
import { type Ended, Waiters } from "./waiters.ts";

export interface SessionOptions {
  /** Open, and closed with the session. */
  readonly core: Core;
  readonly definitions: Definitions;
  /** Runs whose handlers execute at the same time. */
  readonly concurrency: number;
  readonly log: Logger;
  /** What is said of services besides those the workflows use. */
  readonly services?: ServiceSettings;
}

/** A run to start: recorded text. */
export interface StartRequest {
  readonly workflowId: string;
  readonly payload: string | undefined;
  readonly trigger: string | undefined;
  readonly idempotency?: { readonly key: string; readonly fingerprint: string };
  /** A message that its sender may deliver again: it finds the run it has started. `ttlMs` absent: for ever. */
  readonly delivery?: { readonly id: string; readonly fingerprint: string; readonly ttlMs?: number };
  readonly delayMs?: number;
  readonly priority?: number;
  /** Of its limits, where they are known already. */
  readonly keys?: LimitKeys;
}

/** A run that exists. */
export interface StartedRun {
  readonly runId: string;
  /** Whether the idempotency key was used before. */
  readonly repeated: boolean;
  /** Resolves when it has ended; only if asked for, and if the run is new. */
  readonly ended: Promise<Ended> | undefined;
  /** Nobody waits for its end any longer: `ended` resolves. */
  readonly stopWaiting: () => void;
}

/** What an engine is doing. */
export interface Activity {
  /** What tells each attempt that executes from the others. */
  readonly executing: readonly string[];
  /** Commands that are not answered yet. */
  readonly commands: number;
  /** Polls that are being asked. */
  readonly polls: number;
  /** Those who wait for the end of a run. */
  readonly waiters: number;
}

/** How long a stop waits for storage at the least. */
const RELEASE_MS = 1_000;

const UNATTENDED = '{"query":{"unattended":{}}}';

const NOBODY_WAITS = (): void => {};

export class Session {
  readonly #core: Core;
  readonly #pump: Pump;
  readonly #executor: Executor;
  readonly #polls: Polls;
  /** What handlers call by `ctx.services`. */
  readonly services: Services;
  readonly #waiters = new Waiters();
  readonly #options: SessionOptions;
  #failure: Error | undefined;

  private constructor(options: SessionOptions) {
    const { core } = options;
    this.#core = core;
    this.#options = options;
    this.services = new Services({ ...options.services, definitions: options.definitions, log: options.log });
    this.#pump = new Pump({
      core,
      onEffect: (effect) => {
        if (effect.poll !== undefined) this.#polls.ask(effect.poll);
        else this.#executor.handle(effect);
      },
      executing: () => this.#executor.executing(),
      onFailure: (error) => this.#failed(error),
    });
    this.#executor = new Executor({
      pump: this.#pump,
      definitions: options.definitions,
      log: options.log,
      clock: core.clock,
      remembered: Math.max(1_024, 4 * options.concurrency),
      readState: (workflow, keys) => {
        const query = JSON.stringify({ workflow, keys });
        return (core.ask(`{"query":{"state":${query}}}`) as { values: ReturnType<ReadState> }).values;
      },
      services: this.services,
      onFinished: (runId, ended) => this.#waiters.notify(runId, ended),
    });
    this.#polls = new Polls({ pump: this.#pump, definitions: options.definitions, log: options.log });
  }

  /**
   * Opens the database, makes the workflows known, begins services, and lets open runs continue.
   *
   * @param onBegin Given the session before that: a core without a thread calls handlers before this resolves.
   */
  static async open(options: SessionOptions, onBegin: (session: Session) => void = () => {}): Promise<Session> {
    const { core } = options;
    try {
      for (const commands of batches(defineCommands(options.definitions))) core.askAll(commands);
      // Nothing of it moves before the slots are offered below, when every workflow is known.
      const session = new Session(options);
      await session.services.start();
      await session.#begin(onBegin);
      return session;
    } catch (error) {
      core.close();
      throw error;
    }
  }

  async #begin(onBegin: (session: Session) => void): Promise<void> {
    try {
      await this.#pump.open();
      onBegin(this);
      this.#pump.setCapacity(this.#options.concurrency);
      this.#warnOfOrphans();
    } catch (error) {
      this.services.abandon();
      throw error;
    }
  }

  /** Runs that wait for a workflow that nobody defines are in no error and in no queue: it is said here that they are there. */
  #warnOfOrphans(): void {
    this.#pump.send(UNATTENDED, (result, error) => {
      if (error !== undefined) return; // Whoever asks for more hears it, too.
      for (const { workflow, runs } of (result as unknown as UnattendedMessage).orphaned) {
        this.#options.log.warn(
          `${runs === 1 ? "1 open run" : `${runs} open runs`} of the workflow "${workflow}" will not go on: ` +
            "it is not defined in this process. Define it, or end them by `cancelRun`.",
        );
      }
    });
  }

  /** How many runs nothing is done for. */
  unattended(): Promise<UnattendedMessage> {
    return this.#pump.ask<UnattendedMessage & Record<string, unknown>>(UNATTENDED);
  }

  /** Lets the triggers of services listen. Throws a `ServiceError` that names the one that cannot. */
  listen(): Promise<void> {
    return this.services.listen((request) => this.start(request));
  }

  /** Starts a run and resolves after the commit. `wait`: also tells when it has ended. */
  async start(given: StartRequest, wait = false): Promise<StartedRun> {
    const request = withoutSecrets(given);
    const command = `{"start":${this.#startText(request)}}`;
    const createdAtMs = this.#core.clock.now();
    return new Promise((resolve, reject) => {
      this.#pump.send(command, (result, error) => {
        if (error !== undefined) return reject(errorOf(error.code, error.message));
        const { run: runId, repeated = false } = result as { run: string; repeated?: boolean };
        // Here and not in a later turn: the run may end before that.
        const waiting = wait && !repeated ? new AbortController() : undefined;
        const ended = waiting && this.#waiters.ended(runId, waiting.signal);
        if (!repeated) this.#executor.remember(this.#newMemory(runId, createdAtMs, request));
        resolve({ runId, repeated, ended, stopWaiting: waiting ? () => waiting.abort() : NOBODY_WAITS });
      });
    });
  }

  /** Tells an event to who waits, and starts runs of who listens: all of them in one transaction. Gives their ids. */
  async publish(event: string, payload: string | undefined, given: readonly StartRequest[]): Promise<string[]> {
    refuseSecrets(event, "name of the event");
    const starts = given.map(withoutSecrets);
    const texts = starts.map((request) => this.#startText(request)).join(",");
    const command = `{"publish":{"name":${JSON.stringify(event)}${field("payload", payload)},"starts":[${texts}]}}`;
    const createdAtMs = this.#core.clock.now();
    return new Promise((resolve, reject) => {
      this.#pump.send(command, (result, error) => {
        if (error?.code === "request_too_large") return reject(tooLargeEvent(event, payload, starts.length, error));
        if (error !== undefined) return reject(errorOf(error.code, error.message));
        const { runs = [] } = result as { runs?: string[] };
        for (const [place, runId] of runs.entries()) {
          const request = starts[place];
          if (request !== undefined) this.#executor.remember(this.#newMemory(runId, createdAtMs, request));
        }
        resolve(runs);
      });
    });
  }

  #startText(request: StartRequest): string {
    const { workflowId, payload, trigger, idempotency, delivery, delayMs, priority } = request;
    const keys = request.keys ?? limitKeys(this.#options.definitions.current(workflowId)?.options, payload);
    if (priority !== undefined && !Number.isSafeInteger(priority)) {
      throw new InvalidError("value_invalid", `\`priority\` is ${priority}; give a whole number from -100 to 100.`);
    }
    const fields = [
      field("payload", payload),
      field("trigger", trigger),
      field("idempotency", idempotency && JSON.stringify(idempotency)),
      field("delivery", delivery && deliveryText(delivery)),
      field("delay_ms", delayMs?.toString()),
      field("priority", priority?.toString()),
      field("concurrency_key", keys.concurrency),
      field("rate_key", keys.rate),
    ];
    return `{"workflow":"${workflowId}"${fields.join("")}}`;
  }

  /** A run with its whole history. */
  async run(runId: string): Promise<RunRecordMessage> {
    const record = await this.#queryRun(runId, 0);
    while (record.next_after !== undefined) {
      const page = await this.#queryRun(runId, record.next_after);
      record.steps?.push(...(page.steps ?? []));
      if (page.next_after === undefined) delete record.next_after;
      else record.next_after = page.next_after;
    }
    return record;
  }

  /** The same for a caller that has registered with `ended`: who need not wait is not kept waiting. */
  async runOrWait(runId: string): Promise<RunRecordMessage> {
    try {
      const record = await this.run(runId);
      if (hasEnded(record)) this.#waiters.notify(runId, {});
      return record;
    } catch (error) {
      this.#waiters.notify(runId, {});
      throw error;
    }
  }

  ask<Result extends ResultMessage>(command: string): Promise<Result> {
    return this.#pump.ask<Result>(command);
  }

  /** Resolves when the run has ended, the engine stops, or the signal says that nobody waits any longer. */
  ended(runId: string, signal?: AbortSignal): Promise<Ended> {
    return this.#waiters.ended(runId, signal);
  }

  /** The time the engine goes by. */
  get clock(): Clock {
    return this.#core.clock;
  }

  /** Why the engine has broken down, if it has. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** No new work; handlers may finish for `patienceMs`. What is left goes to the next start, uncounted. */
  async stop(patienceMs: number): Promise<void> {
    const patience = new Patience(patienceMs);
    const triggersEnded = this.services.endTriggers();
    if (this.#failure === undefined) {
      this.#pump.setCapacity(0);
      this.#polls.stop();
      // When this is answered, the core has seen that it has no slots any more: nothing else begins.
      await this.#pump.ask('{"echo":0}').catch((error) => this.#options.log.error("the engine does not answer", error));
      await patience.has(this.#executor.idle());
      await this.#release(patience);
    }
    if (!(await patience.has(triggersEnded))) this.#options.log.error("triggers of services did not end in time");
    await this.services.stop(patience);
    patience.end();
    this.close();
  }

  /** What still executes is handed over: what is not counts as interrupted. While storage fails it is tried again. */
  async #release(patience: Patience): Promise<void> {
    const { log } = this.#options;
    const released = this.#pump.ask('{"release":{}}', true);
    released.catch((error) => log.error("the engine could not hand over its runs", error));
    const settled = released.catch(() => {});
    if (await patience.has(settled)) return;
    // The handlers may have used up all of it.
    const rest = new Patience(RELEASE_MS);
    if (!(await rest.has(settled))) log.error("the engine could not hand over its runs: storage does not answer");
    rest.end();
  }

  /** Leaves the core as a process leaves it that dies: nothing is handed over, and it stays open. */
  abandon(): void {
    this.#polls.stop();
    this.services.abandon();
    this.#executor.abandon();
    this.#pump.close();
    this.#waiters.notifyAll();
  }

  /** What the process would find that follows one that dies now. Only a core without a thread can be left so. */
  restarted(onBegin: (session: Session) => void): Promise<Session> {
    this.abandon();
    this.#core.ask('{"restart":{}}');
    return Session.open(this.#options, onBegin);
  }

  /** What keeps the engine from being at rest. Takes in first what the core has committed. */
  activity(): Activity {
    this.#pump.drain();
    return {
      executing: [...this.#executor.executing()].map(([run, fence]) => `${run}/${fence}`),
      commands: this.#pump.unanswered,
      polls: this.#polls.asking,
      waiters: this.#waiters.count,
    };
  }

  /** Ends at once. Durability does not depend on it. */
  close(): void {
    this.#polls.stop();
    this.#pump.close();
    this.#core.close();
    this.#waiters.notifyAll();
  }

  #queryRun(runId: string, after: number): Promise<RunRecordMessage> {
    return this.#pump.ask<RunRecordMessage & ResultMessage>(
      `{"query":{"run":{"run":${JSON.stringify(runId)},"after":${after}}}}`,
    );
  }

  #newMemory(runId: string, createdAtMs: number, { workflowId, payload, trigger }: StartRequest): RunMemory {
    const definition = this.#options.definitions.current(workflowId);
    const version = definition?.options.version;
    const [outputs, bodies] = [new Map(), new Map()];
    return { runId, workflowId, version, definition, createdAtMs, payload, trigger, outputs, bodies };
  }

  #failed(error: Error): void {
    this.#failure = error;
    this.#options.log.error(
      "cronflow: the engine stopped after an internal error; nothing acknowledged is lost",
      error,
    );
    this.#core.close();
    this.#waiters.notifyAll();
  }
}

function* defineCommands(definitions: Definitions): Iterable<string> {
  for (const versions of definitions.all())
    yield `{"define":${JSON.stringify(versions.map((version) => version.toMessage()))}}`;
}

/** Characters of definitions in one transaction: many small ones share it. */
const BATCH_CHARACTERS = 1 << 20;

function* batches(commands: Iterable<string>): Iterable<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const command of commands) {
    batch.push(command);
    characters += command.length;
    if (characters < BATCH_CHARACTERS) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}

/** What is recorded beside the payload has no secrets either: those of what triggers it are masked, others are refused. */
function withoutSecrets(request: StartRequest): StartRequest {
  refuseSecrets(request.idempotency?.key, "idempotency key");
  refuseSecrets(request.delivery?.id, "id of the delivery");
  const trigger = maskedJson(request.trigger);
  return trigger === request.trigger ? request : { ...request, trigger };
}

/** The runs that an event starts are recorded in one transaction, and each of them has a payload of its own. */
function tooLargeEvent(
  event: string,
  payload: string | undefined,
  listeners: number,
  { code, message }: ErrorMessage,
): Error {
  const bytes = Buffer.byteLength(payload ?? "");
  const given = `each of the ${listeners} workflows that listen is given a copy of its ${bytes} bytes`;
  const advice = "Publish where the data is instead of the data.";
  return errorOf(code, `The event ${JSON.stringify(event)} cannot be published: ${given}. ${message} ${advice}`);
}

/** Whether nothing more will happen to a run by itself. */
export function hasEnded({ status }: RunRecordMessage): boolean {
  return status === "completed" || status === "failed" || status === "cancelled" || status === "stuck";
}

function deliveryText({ id, fingerprint, ttlMs }: NonNullable<StartRequest["delivery"]>): string {
  return JSON.stringify({ id, fingerprint, ...(ttlMs !== undefined && { ttl_ms: ttlMs }) });
}

function field(name: string, text: string | undefined): string {
  return text === undefined ? "" : `,"${name}":${text}`;
}
