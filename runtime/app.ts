/** The engine as users hold it: define, start, trigger, look, stop. Assembly; the rules are in the core. */
import type { Hono } from "hono";
import type { Closed, NoSteps, Passing, Uses } from "./builder/types.ts";
import { type AnyWorkflow, type NoTrigger, type Outcome, type RunInputOf, Workflow } from "./builder/workflow.ts";
import { checkAnswer, checkLimit, checkObject, checkText, listQuery, startFields } from "./call-options.ts";
import { wallClock } from "./clock.ts";
import { Definition, type SecretReferences, type WorkflowOptions } from "./definition.ts";
import { Definitions } from "./definitions.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { InvalidError, NotFoundError, type RecordedError, RunError, UnavailableError } from "./errors.ts";
import { listenersOf, type PublishedEvent } from "./events.ts";
import { hasStarted, stopEarlier } from "./hot.ts";
import { HttpInterface } from "./http/interface.ts";
import { type NodeHandler, type NodeHandlerOptions, nodeHandler } from "./http/node.ts";
import type { HttpSettings } from "./http/options.ts";
import { decode, encode } from "./json.ts";
import type { Logger } from "./log.ts";
import { Core, type CoreConfig } from "./native/binding.ts";
import { LIMITS } from "./native/generated.ts";
import type { ApprovalMessage, RunRecordMessage, ScheduleMessage } from "./native/protocol.ts";
import {
  type ListOptions,
  type PausedWorkflow,
  pausedWorkflow,
  type RunList,
  type RunRecord,
  runRecord,
  runSummary,
} from "./records.ts";
import { type Schedule, scheduleOf } from "./schedules.ts";
import { parse } from "./schema.ts";
import { masked } from "./services/secrets/known.ts";
import { maskingLog } from "./services/secrets/masking.ts";
import type { ServiceSettings } from "./services/services.ts";
import type { AnyService } from "./services/types.ts";
import { hasEnded, Session, type StartedRun } from "./session.ts";
import { stopOnSignals } from "./signals.ts";
import { SharedState } from "./state.ts";
import type { Ended } from "./waiters.ts";

/** What an engine is created or started with. What `start` says wins. */
export interface EngineOptions extends HttpSettings {
  /** Path of the database file; `:memory:` forgets everything at the end. Default `./cronflow.db`. */
  readonly database?: string;
  /** `"full"` survives a power cut, `"relaxed"` a process death: a power cut may take the last commits. Default full. */
  readonly durability?: "full" | "relaxed";
  /** Runs whose handlers execute at the same time. Default 256. */
  readonly concurrency?: number;
  /** Default `console`. One that is given gets a line for each call of a service, too, at debug level. */
  readonly log?: Logger;
  /** Services of every workflow. Declare their types in `GlobalServices`. */
  readonly services?: readonly AnyService[];
}

/** What an engine is started with. What is left out is as it was created with, or the default. */
export interface StartOptions extends EngineOptions {
  /** Serves webhooks, management and `/health` on this port; 0 takes a free one. Without it nothing is served. */
  readonly port?: number;
  /** Default all interfaces. */
  readonly hostname?: string;
  /** Stops on SIGTERM and SIGINT, then lets the signal end the process if nobody else listens for it. Default true. */
  readonly handleSignals?: boolean;
}

/** How a run begins. */
export interface TriggerOptions {
  /**
   * The same key and payload find the same run; another payload is a conflict. Payloads are compared as they are recorded,
   * byte by byte: `{ a, b }` and `{ b, a }` differ.
   */
  readonly idempotencyKey?: string;
  /** How long to wait before the run begins. */
  readonly delay?: Duration;
  /** From -100 to 100, higher first. Default: the workflow's priority. */
  readonly priority?: number;
}

/**
 * A payload, which may be left out where any is right, and options. One signature for workflows and their ids: of several,
 * the compiler tells what is wrong with one that was not meant.
 */
export type Given<W extends string | AnyWorkflow> = W extends AnyWorkflow
  ? undefined extends RunInputOf<W>
    ? [payload?: RunInputOf<W>, options?: TriggerOptions]
    : [payload: RunInputOf<W>, options?: TriggerOptions]
  : [payload?: unknown, options?: TriggerOptions];

/** What a replayed run does otherwise than the one it is made of. */
export interface ReplayOptions {
  /** The first step to execute again; what the run had completed before it first came there is used again. Default: the first of all. */
  readonly fromStep?: string;
  /** What `ctx.payload` is instead. */
  readonly overridePayload?: unknown;
  /** Outputs of steps that are not to be executed, by name. */
  readonly mockStep?: Readonly<Record<string, unknown>>;
}

/** The answer to a request for approval; whatever else is said is in `ctx.last` too. */
export interface ApprovalAnswer {
  /** Default true. */
  readonly approved?: boolean;
  readonly [field: string]: unknown;
}

/** What an engine stands on, where the test kit brings its own. */
export interface Foundation {
  readonly definitions: Definitions;
  readonly openCore: (config: CoreConfig) => Core;
  /** What stands for services. */
  readonly services: Pick<ServiceSettings, "intercept" | "isReplaced" | "secretOf">;
}

/** What of an engine is only for the test kit. */
export interface Inside {
  readonly options: EngineOptions;
  readonly definitions: Definitions;
  /** The started session; throws when there is none. */
  readonly session: () => Session;
  /** Loses what is not stored, as the death of the process does, and goes on as the next process would. */
  readonly crash: () => Promise<void>;
}

/** For an engine that is not started: the session of the test in whose handlers it is called, if it is. */
let standIn = (): Session | undefined => undefined;

/** Lets the test kit say which that is. */
export function useStandIn(find: () => Session | undefined): void {
  standIn = find;
}

/** The inside of an engine. */
export let insideOf: (engine: Cronflow) => Inside;

type NoSecrets = Readonly<Record<never, never>>;

/** How long `stop` and signals wait for handlers that execute. */
const PATIENCE_MS = 10_000;

/** A durable workflow engine over one database file. */
export class Cronflow {
  readonly #options: EngineOptions;
  readonly #foundation: Foundation | undefined;
  readonly #definitions: Definitions;
  /** Values that all workflows share. Every change is a transaction of its own. */
  readonly state: SharedState = new SharedState((command) => this.#running().ask(command));
  #session: Session | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  readonly #http: HttpInterface;
  #log: Logger;
  #removeListeners = (): void => {};
  /** Whatever executes from here on may use the session. */
  readonly #began = (session: Session): void => {
    this.#session = session;
  };

  static {
    insideOf = (engine) => ({
      options: engine.#options,
      definitions: engine.#definitions,
      session: () => engine.#running(),
      crash: async () => {
        const session = await engine.#running().restarted(engine.#began);
        await session.listen();
      },
    });
  }

  /** @param foundation For the test kit. */
  constructor(options: EngineOptions = {}, foundation?: Foundation) {
    this.#options = options;
    this.#foundation = foundation;
    this.#definitions = foundation?.definitions ?? new Definitions();
    this.#log = maskingLog(options.log ?? console);
    this.#http = new HttpInterface(options, {
      definitions: this.#definitions,
      session: () => this.#running(),
      outcome: (started, signal) => {
        signal?.addEventListener("abort", started.stopWaiting, { once: true });
        return this.#outcome(started.runId, started.ended, signal);
      },
      log: () => this.#log,
      now: () => (this.#session?.clock ?? wallClock).now(),
      verbs: this,
    });
  }

  /** Begins a workflow. Its steps are added by the methods of what is returned, before `start`. */
  define<const Services extends readonly AnyService[] = readonly [], Secrets extends SecretReferences = NoSecrets>(
    options: WorkflowOptions<Services, Secrets, Uses<Services, Secrets>>,
  ): Workflow<NoTrigger, undefined, NoSteps, NoSteps, Passing, Closed, Uses<Services, Secrets>> {
    if (this.#session !== undefined || this.#starting !== undefined) {
      throw new InvalidError(
        "definition_invalid",
        `Workflow \`${options.id}\` was defined after start(): define workflows first.`,
      );
    }
    const definition = new Definition(options);
    this.#definitions.add(definition);
    return new Workflow(definition);
  }

  /**
   * Opens the database, continues open runs, and serves HTTP if a port is given. What keeps the process alive after that:
   * docs/guide/runs.md.
   */
  async start(options: StartOptions = {}): Promise<void> {
    if (this.#session !== undefined || this.#starting !== undefined) {
      throw new InvalidError("config_invalid", "This engine is already started.");
    }
    this.#starting = this.#open({ ...this.#options, ...options });
    try {
      await this.#starting;
    } finally {
      this.#starting = undefined;
    }
  }

  /** Takes no new work, lets handlers finish for `timeout` (default 10 s), and leaves the rest to the next start. */
  async stop({ timeout = PATIENCE_MS }: { timeout?: Duration } = {}): Promise<void> {
    const patienceMs = milliseconds(timeout);
    // Who starts it hears of what goes wrong there.
    await this.#starting?.catch(() => {});
    this.#stopping ??= this.#stop(patienceMs).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #stop(patienceMs: number): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    // No new connections; requests that wait for a run may do so as long as handlers may finish.
    const drained = this.#http.drain();
    await session.stop(patienceMs);
    await this.#http.close();
    await drained;
    this.#session = undefined;
    this.#removeListeners();
  }

  /** Starts a run and gives its id after the commit. */
  trigger<W extends string | AnyWorkflow>(workflow: W, ...given: Given<W>): Promise<string>;
  async trigger(workflow: string | AnyWorkflow, payload?: unknown, options: TriggerOptions = {}): Promise<string> {
    return (await this.#startRun(workflow, payload, options, false)).runId;
  }

  /** Starts a run, waits for it, and gives its output. Throws a `RunError` when it does not complete. */
  execute<W extends string | AnyWorkflow>(workflow: W, ...given: Given<W>): Promise<Outcome<W>>;
  async execute(workflow: string | AnyWorkflow, payload?: unknown, options: TriggerOptions = {}): Promise<unknown> {
    const started = await this.#startRun(workflow, payload, options, true);
    return this.#outcome(started.runId, started.ended);
  }

  /** Waits for a run and gives its output. Throws a `RunError` when it does not complete. */
  async result(runId: string): Promise<unknown> {
    checkText("runId", runId);
    return this.#outcome(runId, undefined);
  }

  /** The outcome of a run, read if it is not known from its end. */
  async #outcome(runId: string, known: Promise<Ended> | undefined, signal?: AbortSignal): Promise<unknown> {
    const session = this.#running();
    let ended = known ?? session.ended(runId, signal);
    let record = known === undefined ? await session.runOrWait(runId) : undefined;
    while (record === undefined || !hasEnded(record)) {
      const { completed } = await ended;
      signal?.throwIfAborted();
      if (completed !== undefined) return decode(completed.output);
      // It may have been taken up again before it was read: then its next end counts.
      ended = this.#running().ended(runId, signal);
      record = await this.#running().runOrWait(runId);
    }
    if (record.status === "completed") return record.output;
    throw new RunError(runId, record.status as RunError["status"], record.error as RecordedError);
  }

  /** Everything that is recorded of a run. */
  async inspect(runId: string): Promise<RunRecord> {
    checkText("runId", runId);
    return runRecord(await this.#running().run(runId));
  }

  /** Runs, newest first. */
  async list(options: ListOptions = {}): Promise<RunList> {
    const query = JSON.stringify(listQuery(options));
    const page = await this.#running().ask<{ runs: RunRecordMessage[]; cursor?: string }>(
      `{"query":{"runs":${query}}}`,
    );
    return { runs: page.runs.map(runSummary), ...(page.cursor !== undefined && { cursor: page.cursor }) };
  }

  /** Ends a run as cancelled. Throws a `ConflictError` when it has already ended. */
  async cancelRun(runId: string, reason?: string): Promise<void> {
    checkText("runId", runId);
    const shown = reason === undefined ? undefined : masked(String(reason));
    await this.#running().ask(`{"cancel":${JSON.stringify({ run: runId, reason: shown })}}`);
  }

  /** Takes a run up again that has failed, was cancelled or is stuck: what it has completed is not executed again. */
  async retryRun(runId: string): Promise<void> {
    checkText("runId", runId);
    await this.#running().ask(`{"retry":${JSON.stringify({ run: runId })}}`);
  }

  /** Starts a new run from the recorded results of another, and gives its id after the commit. */
  async replay(runId: string, options: ReplayOptions = {}): Promise<string> {
    checkText("runId", runId);
    const { fromStep, mockStep } = options;
    if (fromStep !== undefined) checkText("fromStep", fromStep);
    if (mockStep !== undefined) checkObject("`mockStep`", mockStep);
    const mocks =
      mockStep &&
      Object.entries(mockStep).map(([step, output]) => {
        return `${JSON.stringify(step)}:${encode(output, `mock of step \`${step}\``) ?? "null"}`;
      });
    const payload = "overridePayload" in options ? encode(options.overridePayload, "payload") : undefined;
    const fields = [
      `"run":${JSON.stringify(runId)}`,
      ...(fromStep === undefined ? [] : [`"from_step":${JSON.stringify(fromStep)}`]),
      ...(payload === undefined ? [] : [`"payload":${payload}`]),
      ...(mocks === undefined ? [] : [`"mocks":{${mocks.join(",")}}`]),
    ];
    const { run } = await this.#running().ask<{ run: string }>(`{"replay":{${fields.join(",")}}}`);
    return run;
  }

  /** Answers a request for approval. Each token is good for one answer; a `ConflictError` says that it came too late. */
  async resume(token: string, payload: ApprovalAnswer = {}): Promise<void> {
    checkText("token", token);
    checkAnswer(payload);
    const approved = payload.approved !== false;
    const text = encode(payload, "answer") ?? "{}";
    await this.#running().ask(
      `{"approve":{"token":${JSON.stringify(token)},"approved":${approved},"payload":${text}}}`,
    );
  }

  /** Runs that wait for a person, oldest first. */
  async listPausedWorkflows(options: { workflowId?: string; limit?: number } = {}): Promise<readonly PausedWorkflow[]> {
    const { workflowId, limit } = options;
    if (workflowId !== undefined) checkText("workflowId", workflowId);
    if (limit !== undefined) checkLimit(limit);
    const query = JSON.stringify({ workflow: workflowId, limit });
    return this.#approvals(`{"query":{"approvals":${query}}}`);
  }

  /** The request for approval of a token. Throws a `NotFoundError` when there is none. */
  async getPausedWorkflow(token: string): Promise<PausedWorkflow> {
    checkText("token", token);
    const [found] = await this.#approvals(`{"query":{"approval":${JSON.stringify({ token })}}}`);
    return found as PausedWorkflow;
  }

  async #approvals(command: string): Promise<PausedWorkflow[]> {
    const { approvals } = await this.#running().ask<{ approvals: ApprovalMessage[] }>(command);
    return approvals.map(pausedWorkflow);
  }

  /**
   * Starts a run of each workflow that listens to an event of this name, and tells it to all runs that wait for one, in
   * one transaction; resolves after the commit. A workflow whose schema, filter or limit's `key` cannot take the
   * event is left out, which is logged and told.
   */
  async publishEvent(name: string, payload?: unknown): Promise<PublishedEvent> {
    checkText("name", name);
    const session = this.#running();
    const text = encode(payload, "event");
    const { starts, refused } = await listenersOf(this.#definitions, name, text, this.#log);
    return { runIds: await session.publish(name, text, starts), refused };
  }

  /** The same as `publishEvent`. */
  emit(name: string, payload?: unknown): Promise<PublishedEvent> {
    return this.publishEvent(name, payload);
  }

  /** The schedules, intervals and polls that are stored, with what comes next, in the order in which they were first seen. */
  async schedules(options: { readonly workflowId?: string } = {}): Promise<readonly Schedule[]> {
    if (options.workflowId !== undefined) checkText("workflowId", options.workflowId);
    const session = this.#running();
    const schedules: Schedule[] = [];
    let cursor: number | undefined;
    do {
      const query = JSON.stringify({ workflow: options.workflowId, limit: LIMITS.LIST_ROWS, cursor });
      const page = await session.ask<{ schedules: ScheduleMessage[]; cursor?: number }>(
        `{"query":{"schedules":${query}}}`,
      );
      schedules.push(...page.schedules.map(scheduleOf));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return schedules;
  }

  /**
   * Executes nothing of a workflow until it is unpaused, also after a restart. What executes may finish; instants of its
   * schedules that come meanwhile start nothing.
   */
  async pause(workflowId: string): Promise<void> {
    checkText("workflowId", workflowId);
    await this.#running().ask(`{"pause":${JSON.stringify(workflowId)}}`);
  }

  /** Lets a paused workflow go on. */
  async unpause(workflowId: string): Promise<void> {
    checkText("workflowId", workflowId);
    await this.#running().ask(`{"unpause":${JSON.stringify(workflowId)}}`);
  }

  /**
   * The HTTP interface as a Hono app, to mount under a prefix of your own. Define workflows first: it has the webhooks
   * that are there when it is first asked for. Throws an `InvalidError` when two of them are in each other's way.
   */
  routes(): Hono {
    return this.#http.routes;
  }

  /**
   * The HTTP interface as a fetch handler. `Bun.serve` gives it the server, too: without it, nobody knows who is asking,
   * and management needs `auth`. What other hosts give is not looked at.
   */
  readonly fetch = (request: Request, server?: unknown): Response | Promise<Response> =>
    this.routes().fetch(request, { server });

  /**
   * The HTTP interface for Express, Fastify, Koa and `node:http`: answers a request, or calls `next` when its path is
   * none of cronflow's. Mount it before body parsers: signatures are made of the bytes that were sent.
   */
  toNodeHandler(options?: NodeHandlerOptions): NodeHandler {
    return nodeHandler({ routes: () => this.routes(), log: () => this.#log }, options);
  }

  /** Where HTTP is served, if it is. */
  get url(): URL | undefined {
    return this.#http.url;
  }

  async #open(options: StartOptions): Promise<void> {
    const { database = "./cronflow.db", durability = "full", concurrency = 256, services } = options;
    const log = maskingLog(options.log ?? console);
    this.#log = log;
    await stopEarlier();
    const serve = this.#http.prepare(options);
    const settings = {
      core: this.#foundation?.openCore({ database, durability }) ?? new Core({ database, durability }),
      definitions: this.#definitions,
      concurrency,
      log,
      services: { everywhere: services, engine: this, callLog: options.log && log, ...this.#foundation?.services },
    };
    const session = await Session.open(settings, this.#began);
    // Without a file and a thread there is nothing to close in order.
    if (this.#foundation === undefined) this.#listen(options.handleSignals ?? true);
    try {
      await session.listen();
      serve();
    } catch (error) {
      await this.#stop(PATIENCE_MS);
      throw error;
    }
  }

  async #startRun(
    workflow: string | AnyWorkflow,
    payload: unknown,
    options: TriggerOptions,
    wait: boolean,
  ): Promise<StartedRun> {
    const workflowId = typeof workflow === "string" ? workflow : workflow?.id;
    const definition = this.#definitions.current(workflowId);
    if (definition === undefined) {
      throw new NotFoundError("workflow_not_found", `No workflow \`${workflowId}\` is defined in this process.`);
    }
    const session = this.#running();
    const text = encode(await parsePayload(definition, payload), "payload");
    return session.start(
      {
        workflowId,
        payload: text,
        trigger: '{"type":"manual"}',
        ...startFields(options, text),
      },
      wait,
    );
  }

  #running(): Session {
    // That of a test is itself what stands in.
    const session = this.#session ?? (this.#foundation === undefined ? standIn() : undefined);
    if (session === undefined) throw new UnavailableError("closed", "This engine is not started: call start() first.");
    return session;
  }

  /** Closes the core at the end of the process; signals stop it in order first. */
  #listen(handleSignals: boolean): void {
    const onExit = (): void => this.#session?.close();
    process.on("exit", onExit);
    const hasStopped = hasStarted(this);
    const ignoreSignals = handleSignals ? stopOnSignals(this) : undefined;
    this.#removeListeners = () => {
      hasStopped();
      ignoreSignals?.();
      process.off("exit", onExit);
    };
  }
}

/** An engine of its own, beside the default one. */
export function createCronflow(options?: EngineOptions): Cronflow {
  return new Cronflow(options);
}

async function parsePayload(definition: Definition, payload: unknown): Promise<unknown> {
  const manual = definition.triggers.find((trigger) => trigger.type === "manual");
  if (manual?.schema === undefined) return payload;
  const parsed = await parse(manual.schema, payload);
  if ("value" in parsed) return parsed.value;
  const issues = parsed.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new InvalidError("value_invalid", `The payload of workflow \`${definition.id}\` is not valid: ${issues}`);
}
