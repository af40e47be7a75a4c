/** One life of workflows under test: the engine, what stands for steps, services and events, and what was called. */
import { AsyncLocalStorage } from "node:async_hooks";
import { type ApprovalAnswer, type EngineOptions, useStandIn } from "../app.ts";
import type { AnyContext } from "../context.ts";
import type { Definition } from "../definition.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { runRecord } from "../records.ts";
import { type Addressee, choice, keyOf, meant } from "./approvals.ts";
import { missingChild, withChildren } from "./children.ts";
import { coverage } from "./coverage/collector.ts";
import { type HandlerCall, InstrumentedDefinition } from "./instrumented.ts";
import { Mocks, never } from "./mocks.ts";
import { suggestion } from "./names.ts";
import { ExpectationError, situation } from "./report.ts";
import { withNode, withNodeIn } from "./run-ids.ts";
import { type RunView, stepResults } from "./run-view.ts";
import { secretReader } from "./test-secret.ts";
import { VirtualEngine } from "./virtual-engine.ts";
import { type WaitMessage, waitsQuery } from "./waits.ts";

/** What a test may say of its engine. */
export interface TestOptions {
  /** The time at the beginning. Default 2026-01-01T00:00:00Z. */
  readonly now?: Date | number | string;
  /** How long handlers may take, in real time, before the clock moves on without them. Default one second. */
  readonly patience?: Duration;
  /** Default: warnings and errors go to the console, nothing else does. */
  readonly log?: EngineOptions["log"];
  /** Services of every workflow. */
  readonly services?: EngineOptions["services"];
  /**
   * What stands for secrets: by their name in `ctx.secrets`, or for whoever uses them, services too, by where they are
   * found (`"env:BANK_TOKEN"`). One that is not given is looked for there: of a workflow when a handler asks for it, of a
   * service that is not mocked at the start.
   */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Runs whose handlers execute at the same time. Default 256. */
  readonly concurrency?: number;
}

/** The scenario whose functions are called: engines that they call, which are not started, are the one under test. */
const CURRENT = new AsyncLocalStorage<Scenario>();
useStandIn(() => CURRENT.getStore()?.world.session);

const START_MS = Date.UTC(2026, 0, 1);

export interface ScenarioOptions extends TestOptions {
  readonly definitions: readonly Definition[];
  /**
   * Children that are known as workflows come along; what gives the test one that is known by its id alone, for the message.
   * Absent: what is there is there.
   */
  readonly childAdvice?: string;
  /** Answers calls of all functions, instead of the mocks: hooks, triggers and services are left out then. */
  readonly answer?: (call: HandlerCall) => unknown;
  /** What tells the ids of its runs from those of other lives. Default 0, whose ids are those that tests see. */
  readonly node?: number;
  /** Whatever else an engine may be told. */
  readonly settings?: EngineOptions;
}

export class Scenario {
  readonly mocks = new Mocks();
  readonly #options: ScenarioOptions;
  readonly #mockedSubflows = new Map<string, Set<string>>();
  /** By workflow, then by step and by `step@iteration`. */
  readonly #calls = new Map<string, Map<string, number>>();
  readonly #thrown = new Map<string, Map<string, unknown>>();
  /** Tokens of requests for approval, by run and step. */
  readonly #tokens = new Map<string, string>();
  #crashIn: ((call: HandlerCall) => boolean) | undefined;
  /** Told each call of a step's handler; gives whether the process is to die in it. */
  onCall: (call: HandlerCall) => boolean = () => false;
  #world: VirtualEngine | undefined;
  /** All that there may be, and from the start on all that there are. */
  #definitions: readonly Definition[];

  constructor(options: ScenarioOptions) {
    this.#options = options;
    this.#definitions = options.childAdvice === undefined ? options.definitions : withChildren(options.definitions);
  }

  get world(): VirtualEngine {
    if (this.#world === undefined) throw new Error("the scenario has not begun");
    return this.#world;
  }

  get isStarted(): boolean {
    return this.#world !== undefined;
  }

  /** The time of the engine, in milliseconds since 1970. */
  get nowMs(): number {
    const { now } = this.#options;
    return this.#world?.clock.now() ?? (now === undefined ? START_MS : momentOf(now));
  }

  get definitions(): readonly Definition[] {
    return this.#definitions;
  }

  /** Child runs of this node are mocked: to be said before the start. */
  mockSubflow(workflowId: string, step: string): void {
    const steps = this.#mockedSubflows.get(workflowId) ?? new Set();
    this.#mockedSubflows.set(workflowId, steps.add(step));
  }

  async start(): Promise<void> {
    const { settings, patience = 1_000, log = failuresToConsole, services, concurrency } = this.#options;
    const { secrets = {}, childAdvice } = this.#options;
    const within = <T>(work: () => T): T => CURRENT.run(this, work);
    // These also execute because of what a test asks the engine itself, outside of it.
    const probe = (call: HandlerCall): unknown => within(() => this.#probe(call));
    const hook = (call: () => unknown): unknown => within(call);
    const isBare = this.#options.answer !== undefined;
    const isMocked = (id: string, step: string): boolean => this.#mockedSubflows.get(id)?.has(step) === true;
    if (childAdvice !== undefined) this.#definitions = withChildren(this.#options.definitions, isMocked);
    const ids = new Set(this.#definitions.map(({ id }) => id));
    const missing =
      childAdvice === undefined
        ? undefined
        : (id: string, step: string) => (ids.has(id) ? undefined : missingChild(id, step, childAdvice));
    const instrumented = (definition: Definition): Definition => {
      const mockedSubflows = this.#mockedSubflows.get(definition.id);
      return new InstrumentedDefinition(definition, { probe, hook, isBare, mockedSubflows, missing, secrets });
    };
    this.#world = new VirtualEngine({
      definitions: this.#definitions.map(instrumented),
      settings: { ...settings, log, ...(services && { services }), ...(concurrency && { concurrency }) },
      services: {
        intercept: this.mocks.intercept,
        isReplaced: (key) => isBare || this.mocks.hasService(key),
        secretOf: secretReader(secrets),
      },
      node: this.#node,
      startMs: this.nowMs,
      patienceMs: milliseconds(patience),
      onRest: () => this.#publishAwaited(),
      within,
    });
    try {
      await this.#world.start();
    } catch (error) {
      await this.#world.engine.stop({ timeout: 0 });
      this.#world = undefined;
      throw error;
    }
  }

  /** Ends everything. What the runs have reached is counted. */
  async close(): Promise<void> {
    const world = this.#world;
    if (world === undefined) return;
    if (coverage.isOn) coverage.add(this.definitions, await this.#everything());
    await world.close();
  }

  /** A run, with all that is known of it. */
  async view(runId: string): Promise<RunView> {
    const { clock, session } = this.world;
    const message = await this.world.perform(() => session.run(runId));
    const found = await this.world.ask<{ waits: readonly WaitMessage[] }>(waitsQuery(runId));
    const [recorded, waits] = await this.#shown([message, found.waits] as const);
    const record = runRecord(recorded);
    const definition = this.definitionOf(record.workflowId);
    return {
      definition,
      record,
      waits,
      nowMs: clock.now(),
      steps: stepResults(definition, record, waits),
      calls: this.#calls.get(record.workflowId) ?? new Map(),
      thrown: this.#thrown.get(record.workflowId) ?? new Map(),
    };
  }

  get #node(): number {
    return this.#options.node ?? 0;
  }

  /** What is recorded, with run ids as tests see them. */
  async #shown<Recorded>(recorded: Recorded): Promise<Recorded> {
    if (this.#node === 0) return recorded;
    return JSON.parse(withNodeIn(JSON.stringify(recorded), new Set(await this.runIds()), 0));
  }

  /** The id in this life of a run that a test names. */
  ownId(runId: string): string {
    return this.#node === 0 ? runId : withNode(runId, this.#node);
  }

  definitionOf(workflowId: string): Definition {
    const found = this.definitions.findLast(({ id }) => id === workflowId);
    if (found !== undefined) return found;
    const ids = this.definitions.map(({ id }) => id);
    throw new InvalidError(
      "workflow_not_found",
      `The test has no workflow \`${workflowId}\`. ${suggestion(workflowId, ids)}`,
    );
  }

  /** Answers the request for approval that is open and meant. */
  async answer(payload: ApprovalAnswer, whose: Addressee): Promise<void> {
    const { engine } = this.world;
    const open = await this.world.perform(() => engine.listPausedWorkflows({ limit: 1_000 }));
    const [found, ...others] = meant(open, whose);
    const word = payload.approved === false ? "reject" : "approve";
    if (found === undefined) throw new ExpectationError(await this.#nobodyAsks(word, whose));
    if (others.length > 0) {
      throw new ExpectationError(choice(word, open, [found, ...others], whose, (runId) => withNode(runId, 0)));
    }
    const token = this.#tokens.get(`${found.runId}:${keyOf(found)}`);
    if (token === undefined) throw new Error(`the token of \`${keyOf(found)}\` was not told`);
    await this.world.perform(() => engine.resume(token, payload));
    await this.world.settle();
  }

  /** The process dies after the handler of a step has done its work, and before its result is recorded: once. */
  crashDuring(isIt: (call: HandlerCall) => boolean): void {
    this.#crashIn = isIt;
  }

  /** Whether a planned crash is still to come. */
  get hasCrashLeft(): boolean {
    return this.#crashIn !== undefined;
  }

  #probe(call: HandlerCall): unknown {
    const { node, handler, context, original } = call;
    if (handler === "on_pause") this.#tokens.set(context.idempotencyKey, context.token as string);
    if (this.#options.answer !== undefined) return this.#options.answer(call);
    if (handler !== "body") return original(context);
    this.#count(call);
    const mock = this.mocks.step(call.workflowId, node.name);
    const work = (): unknown => {
      if (mock === undefined) return original(context);
      mock.isUsed = true;
      if (mock.mock === never) return this.hang(context);
      return typeof mock.mock === "function" ? (mock.mock as (context: AnyContext) => unknown)(context) : mock.mock;
    };
    const isPlanned = this.#crashIn?.(call) === true;
    if (isPlanned) this.#crashIn = undefined;
    const crashes = this.onCall(call) || isPlanned;
    return this.#noting(call, crashes ? () => this.#workAndDie(call, work) : work);
  }

  /** What a handler throws is kept, because only its name and message are recorded. */
  #noting(call: HandlerCall, work: () => unknown): unknown {
    const note = (error: unknown): never => {
      for (const name of namesOf(call)) mapIn(this.#thrown, call.workflowId).set(name, error);
      throw error;
    };
    try {
      const returned = work();
      return isThenable(returned) ? returned.then(undefined, note) : returned;
    } catch (error) {
      return note(error);
    }
  }

  async #workAndDie({ context }: HandlerCall, work: () => unknown): Promise<unknown> {
    // Whatever it came to dies with the process.
    await Promise.allSettled([(async () => work())()]);
    this.world.crashSoon();
    return this.hang(context);
  }

  /** An attempt that only the core ends. */
  hang({ signal }: AnyContext): Promise<never> {
    this.world.hangs(signal);
    return new Promise(() => {});
  }

  #count(call: HandlerCall): void {
    const calls = mapIn(this.#calls, call.workflowId);
    for (const name of namesOf(call)) calls.set(name, (calls.get(name) ?? 0) + 1);
  }

  /** Publishes the first of the mocked events that a run waits for. */
  async #publishAwaited(): Promise<boolean> {
    if (!this.mocks.hasEvents) return false;
    const { engine } = this.world;
    const { runs } = await this.world.perform(() => engine.list({ status: "waiting", limit: 1_000 }));
    const awaited = new Set<string>();
    for (const { runId } of runs) {
      const { waits } = await this.world.ask<{ waits: readonly WaitMessage[] }>(waitsQuery(runId));
      for (const wait of waits) if (wait.event !== undefined) awaited.add(wait.event);
    }
    const mock = this.mocks.eventFor((event) => awaited.has(event));
    if (mock === undefined) return false;
    mock.isUsed = true;
    await this.world.perform(() => engine.publishEvent(mock.event, mock.payload));
    return true;
  }

  async #nobodyAsks(word: string, { own, run = own, step }: Addressee): Promise<string> {
    const what = step === undefined ? "no step waits for a person" : `step \`${step}\` does not wait for a person`;
    return `.${word}(): ${what}${run === undefined ? "." : `.\n${situation(await this.view(run))}`}`;
  }

  async #everything(): Promise<RunView[]> {
    const views: RunView[] = [];
    for (const runId of await this.runIds()) views.push(await this.view(runId));
    return views;
  }

  /** All runs there are, oldest first. */
  async runIds(): Promise<readonly string[]> {
    const { engine } = this.world;
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.world.perform(() =>
        engine.list({ limit: 1_000, ...(cursor !== undefined && { cursor }) }),
      );
      ids.push(...page.runs.map(({ runId }) => runId));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return ids.reverse();
  }
}

/** The step, and the step in its iteration. */
function namesOf({ node, context }: HandlerCall): ReadonlySet<string> {
  return new Set([node.name, context.idempotencyKey.slice(context.run.id.length + 1)]);
}

function mapIn<K, V>(maps: Map<string, Map<K, V>>, key: string): Map<K, V> {
  let map = maps.get(key);
  if (map === undefined) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

/** Milliseconds since 1970 of a moment that a test names. */
export function momentOf(moment: Date | number | string): number {
  const ms = new Date(moment).getTime();
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidError(
    "config_invalid",
    `\`now\` is ${JSON.stringify(moment)}; give a Date, milliseconds since 1970, or ISO 8601.`,
  );
}

const failuresToConsole: NonNullable<EngineOptions["log"]> = {
  debug() {},
  info() {},
  warn: (message, ...details) => console.warn(message, ...details),
  error: (message, ...details) => console.error(message, ...details),
};

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
