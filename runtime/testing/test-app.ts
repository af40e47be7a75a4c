/** `testApp()`: several workflows in one engine, and HTTP without a socket. */
import {
  type ApprovalAnswer,
  Cronflow,
  type EngineOptions,
  type Given,
  insideOf,
  type TriggerOptions,
} from "../app.ts";
import type { AnyWorkflow, RunOutputOf } from "../builder/workflow.ts";
import type { Definition } from "../definition.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError, UnavailableError } from "../errors.ts";
import type { PublishedEvent } from "../events.ts";
import type { HttpSettings } from "../http/options.ts";
import type { RunRecord, RunSummary } from "../records.ts";
import type { Schedule } from "../schedules.ts";
import type { AnyService } from "../services/types.ts";
import type { Assertion } from "./assertions.ts";
import { withChildren } from "./children.ts";
import { RunExpectation, StepExpectation } from "./expectations.ts";
import type { Mock, MockActions, MockedService } from "./mocks.ts";
import { ExpectationError, situation } from "./report.ts";
import type { TestResult } from "./run-view.ts";
import { Scenario, type TestOptions } from "./scenario.ts";
import { checkMock, checkStep, serviceKey } from "./targets.ts";
import { type OutputNamed, resultOf, type StepNames, type WhichApproval } from "./workflow-test.ts";

/** What a test of an app may say of its engine. What it does not say is as the engine that is tested has it. */
export interface TestAppOptions extends TestOptions, HttpSettings {}

/** What a workflow's steps are, for the compiler. */
export type StepsOf<W extends AnyWorkflow> = W["types"] extends { readonly steps: infer Steps } ? Steps : unknown;

/**
 * Workflows under test. The engine starts with the first call that needs it; each call resolves when nothing more happens
 * before the clock moves. Close it at the end of the test, or declare it with `await using`.
 */
export class TestApp implements AsyncDisposable {
  readonly #scenario: Scenario;
  readonly #definitions: readonly Definition[];
  readonly #services: readonly AnyService[];
  #starting: Promise<void> | undefined;
  #isClosed = false;

  constructor(given: Cronflow | readonly AnyWorkflow[], options: TestAppOptions = {}) {
    const { now, patience, log, services, secrets, concurrency, ...http } = options;
    const settings: EngineOptions = { ...(given instanceof Cronflow && insideOf(given).options), ...http };
    const { database: _file, log: _log, ...kept } = settings;
    const isEngine = given instanceof Cronflow;
    const definitions = isEngine ? definitionsOf(given) : given.map(({ definition }) => definition);
    // An engine has what it has: what it lacks, it lacks in earnest.
    this.#definitions = isEngine ? definitions : withChildren(definitions);
    this.#services = services ?? settings.services ?? [];
    this.#scenario = new Scenario({
      definitions,
      ...(!isEngine && { childAdvice: "testApp([…, <the workflow>])" }),
      settings: kept,
      ...(now !== undefined && { now }),
      ...(patience !== undefined && { patience }),
      ...(log !== undefined && { log }),
      ...(services !== undefined && { services }),
      ...(secrets !== undefined && { secrets }),
      ...(concurrency !== undefined && { concurrency }),
    });
  }

  /** The time of the engine. */
  get now(): Date {
    return new Date(this.#scenario.nowMs);
  }

  /** The engine, for its other verbs. Throws before the first call of the app, which starts it. */
  get engine(): Cronflow {
    if (!this.#scenario.isStarted) {
      throw new InvalidError(
        "closed",
        "The engine of the app begins with its first call: write `await app.start()` before.",
      );
    }
    return this.#scenario.world.engine;
  }

  /** Starts the engine now: schedules count from here. */
  async start(): Promise<this> {
    await this.#begin();
    return this;
  }

  /** Starts a run and gives its id. */
  trigger<W extends string | AnyWorkflow>(workflow: W, ...given: Given<W>): Promise<string>;
  trigger(workflow: string | AnyWorkflow, payload?: unknown, options?: TriggerOptions): Promise<string> {
    const { id } = this.#scenario.definitionOf(typeof workflow === "string" ? workflow : workflow.id);
    return this.#perform((engine) => engine.trigger(id, payload, options));
  }

  /**
   * Answers a request as the engine's HTTP interface does. A webhook that waits for the result of its run answers when
   * the run has ended: let time pass before you await it.
   */
  async fetch(request: Request | string | URL, init?: RequestInit): Promise<Response> {
    const made = request instanceof Request ? request : new Request(new URL(request, "http://localhost").href, init);
    return this.#perform(async (engine) => engine.fetch(made));
  }

  /** Publishes an event, and gives which runs it has started. */
  publish(event: string, payload?: unknown): Promise<PublishedEvent> {
    return this.#perform((engine) => engine.publishEvent(event, payload));
  }

  /** Says yes to a request for approval; `step` and `run` say which when there are several. */
  approve(payload: ApprovalAnswer = {}, which: WhichApproval = {}): Promise<void> {
    return this.#answer({ ...payload, approved: true }, which);
  }

  /** Says no. */
  reject(payload: ApprovalAnswer = {}, which: WhichApproval = {}): Promise<void> {
    return this.#answer({ ...payload, approved: false }, which);
  }

  /** Lets time pass: whatever is due comes one after the other, schedules and polls included. */
  async advance(duration: Duration): Promise<void> {
    await this.#begin();
    await this.#scenario.world.advance(milliseconds(duration));
  }

  /** The process dies, and another one goes on. */
  async crash(): Promise<void> {
    await this.#begin();
    await this.#scenario.world.crash();
    await this.#scenario.world.settle();
  }

  /** Waits until nothing more happens before the clock moves. */
  async settle(): Promise<void> {
    await this.#begin();
    await this.#scenario.world.settle();
  }

  /** All runs, oldest first. */
  async runs(workflow?: string | AnyWorkflow): Promise<readonly RunSummary[]> {
    await this.settle();
    const { definition } = this.#known(workflow);
    const ids = await this.#scenario.runIds();
    const runs = await Promise.all(ids.map(async (runId) => (await this.#scenario.view(runId)).record));
    return runs.filter(({ workflowId }) => definition === undefined || workflowId === definition.id);
  }

  /** A run: by its id, or the latest of a workflow. */
  run<W extends AnyWorkflow>(workflow: W): Promise<TestResult<RunOutputOf<W>, StepsOf<W>>>;
  run(runId: string): Promise<TestResult>;
  async run(run: string | AnyWorkflow): Promise<TestResult> {
    await this.settle();
    return resultOf(await this.#scenario.view(await this.#idOf(run)));
  }

  /** Everything that is recorded of a run: by its id, or the latest of a workflow. */
  async inspect(run: string | AnyWorkflow): Promise<RunRecord> {
    await this.settle();
    return (await this.#scenario.view(await this.#idOf(run))).record;
  }

  /** Schedules, intervals and polls, with what comes next. */
  async schedules(workflowId?: string): Promise<readonly Schedule[]> {
    return this.#perform((engine) => engine.schedules(workflowId === undefined ? {} : { workflowId }));
  }

  /** What the latest run of a workflow, or the run of this id, should have come to by now. */
  expectRun<W extends AnyWorkflow>(run: W): RunExpectation<RunOutputOf<W>, Promise<void>>;
  expectRun(runId: string): RunExpectation<unknown, Promise<void>>;
  expectRun(run: string | AnyWorkflow): RunExpectation<unknown, Promise<void>> {
    return new RunExpectation((assertion) => this.#expect(run, assertion));
  }

  /** What a step of the latest run of a workflow should have come to by now. */
  expectStep<W extends AnyWorkflow, const Name extends StepNames<StepsOf<W>>>(
    workflow: W,
    name: Name,
  ): StepExpectation<OutputNamed<StepsOf<W>, Name>, Promise<void>> {
    checkStep(this.#scenario.definitionOf(workflow.id), "expectStep", name);
    return new StepExpectation(name, (assertion) => this.#expect(workflow, assertion));
  }

  /** From here on something stands for the handler of a step; for the child runs of a subflow before the first call only. */
  mockStep<W extends AnyWorkflow, const Name extends StepNames<StepsOf<W>>>(
    workflow: W,
    name: Name,
    mock: Mock<OutputNamed<StepsOf<W>, Name>>,
  ): this {
    const definition = this.#scenario.definitionOf(workflow.id);
    const node = checkMock(definition, name);
    if (node.kind === "subflow") {
      this.#mayNotHaveBegun(`.mockStep("${name}") of a subflow`);
      this.#scenario.mockSubflow(definition.id, name);
    }
    this.#scenario.mocks.addStep(definition.id, name, mock);
    return this;
  }

  /**
   * Functions stand for the actions of a service, before the first call: it is not set up, and its secrets are not read.
   * The service is what `defineService` or its `withConfig` gave, or its name in `ctx.services`.
   */
  mockService<Actions>(service: MockedService<Actions>, actions: MockActions<Actions>): this;
  mockService(service: string, actions: Readonly<Record<string, (...args: never[]) => unknown>>): this;
  mockService(service: string | MockedService<unknown>, actions: Readonly<Record<string, unknown>>): this {
    const key = serviceKey(this.#definitions, this.#services, service);
    this.#mayNotHaveBegun(`.mockService("${key}")`);
    this.#scenario.mocks.addService(key, actions);
    return this;
  }

  /** Ends the engine. Throws an `ExpectationError` for mocks that were not used. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // Whoever began it has been told if it did not begin.
    await Promise.allSettled([this.#starting]);
    if (!this.#scenario.isStarted) return;
    await this.#scenario.close();
    const unused = this.#scenario.mocks.unused();
    if (unused.length > 0) throw new ExpectationError(`never used: ${unused.join(", ")}. Remove what is not needed.`);
  }

  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(payload: ApprovalAnswer, { run, step }: WhichApproval): Promise<void> {
    await this.settle();
    await this.#scenario.answer(payload, { run, step });
  }

  async #expect(run: string | AnyWorkflow, assertion: Assertion): Promise<void> {
    // Made here, so that its stack shows the line of the expectation.
    const error = new ExpectationError();
    await this.settle();
    const view = await this.#scenario.view(await this.#idOf(run));
    const wrong = assertion(view);
    if (wrong === undefined) return;
    error.message = `${wrong}.\n\n${situation(view)}`;
    throw error;
  }

  async #idOf(run: string | AnyWorkflow): Promise<string> {
    if (typeof run === "string") return run;
    const { definition, id } = this.#known(run);
    const [latest] = (await this.#perform((engine) => engine.list({ workflowId: id, limit: 1 }))).runs;
    if (latest === undefined) throw new ExpectationError(`workflow \`${definition?.id}\` has had no run.`);
    return latest.runId;
  }

  #known(workflow: string | AnyWorkflow | undefined): { definition: Definition | undefined; id: string } {
    if (workflow === undefined) return { definition: undefined, id: "" };
    const id = typeof workflow === "string" ? workflow : workflow.id;
    return { definition: this.#scenario.definitionOf(id), id };
  }

  /** A verb of the engine, and all that follows from it at once. */
  async #perform<T>(verb: (engine: Cronflow) => Promise<T>): Promise<T> {
    await this.#begin();
    const { world } = this.#scenario;
    const result = await world.perform(() => verb(world.engine));
    await world.settle();
    return result;
  }

  async #begin(): Promise<void> {
    if (this.#isClosed) throw new UnavailableError("closed", "The app is closed: the test is over.");
    this.#starting ??= this.#scenario.start();
    return this.#starting;
  }

  #mayNotHaveBegun(what: string): void {
    if (this.#starting === undefined) return;
    throw new InvalidError("request_invalid", `${what} comes too late: write it before the first call of the app.`);
  }
}

function definitionsOf(engine: Cronflow): Definition[] {
  return [...insideOf(engine).definitions.all()].flat();
}

/** An app of these workflows and those they were given for `.subflow()`, or of all that are defined in an engine; the engine itself is not touched. */
export function testApp(given: Cronflow | readonly AnyWorkflow[], options?: TestAppOptions): TestApp {
  return new TestApp(given, options);
}
