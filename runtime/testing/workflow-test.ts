/** `workflow.test()`: what happens, and what is expected, in the order in which it is written. */
import type { AnyWorkflow } from "../builder/workflow.ts";
import type { Definition } from "../definition.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import type { Assertion } from "./assertions.ts";
import { withChildren } from "./children.ts";
import { RunExpectation, StepExpectation } from "./expectations.ts";
import type { HandlerCall } from "./instrumented.ts";
import type { Mock, MockActions, MockedService } from "./mocks.ts";
import { ExpectationError, situation } from "./report.ts";
import type { RunView, StepResults, TestResult } from "./run-view.ts";
import { Scenario, type TestOptions } from "./scenario.ts";
import { checkEvent, checkMock, checkStep, serviceKey } from "./targets.ts";
import { waitTexts } from "./waits.ts";

/** What a test of one workflow may say of its engine. */
export interface WorkflowTestOptions extends TestOptions {
  /**
   * Workflows whose runs are started by this one: by handlers, or by a `.subflow()` that names the id. A workflow that
   * `.subflow()` was given itself comes along, unless one of the same id is given here.
   */
  readonly with?: readonly AnyWorkflow[];
}

const CHILD_ADVICE = ".test({ with: [<the workflow>] })";

interface Instruction {
  /** Done before the engine starts. */
  readonly prepare?: (scenario: Scenario) => void;
  readonly perform: (life: Life) => Promise<void>;
  /** Is left out where the process dies more often than the test says. */
  readonly isExact?: boolean;
}

/** One life of the workflow under test. */
interface Life {
  readonly scenario: Scenario;
  runId: string | undefined;
}

/** How a life goes. */
interface Death {
  /** The number of the call, from 0, in which the process dies. */
  readonly crashAt?: number;
  /** What tells the ids of its runs from those of other lives. */
  readonly node: number;
}

const NO_DEATH: Death = { node: 0 };

/** What came of a life. */
interface Lived<Output, Steps> {
  readonly result: TestResult<Output, Steps>;
  /** The steps whose handlers were called, in order. */
  readonly calls: readonly string[];
}

/** What surrounds each life of a workflow whose process dies. */
export interface CrashOptions {
  /**
   * Called before each life: makes the world outside as it was. Default: nothing is, and each life has run ids of its own,
   * which only the world outside sees: what is recorded of them is shown with those of the life without a death.
   */
  readonly beforeEach?: () => unknown;
  /**
   * Called after each life: looks whether the world outside is as it should be, and throws if not. Default: nothing is.
   */
  readonly afterEach?: () => unknown;
}

/** The names of steps that have an output, and any other. */
export type StepNames<Steps> = (keyof Steps & string) | (string & {});
/** Which request for approval is meant: its step, its run. */
export interface WhichApproval<Steps = unknown> {
  readonly step?: StepNames<Steps>;
  readonly run?: string;
}
/** The output of a step of this name; anything when it is not known. */
export type OutputNamed<Steps, Name> = Name extends keyof Steps
  ? NonNullable<Steps[Name]> extends { readonly output: infer Output }
    ? Output
    : unknown
  : unknown;

/**
 * A test of one workflow: what happens, and what is expected, in the order in which it is written. Nothing is done
 * before `run()`.
 * `workflow.test()` begins one.
 */
export class WorkflowTest<Payload = unknown, Output = unknown, Steps = unknown> {
  readonly #definition: Definition;
  /** Those that were named. */
  readonly #given: readonly Definition[];
  /** And their children. */
  readonly #definitions: readonly Definition[];
  readonly #options: WorkflowTestOptions;
  readonly #instructions: Instruction[] = [];
  #isTriggered = false;
  /** Expectations that were begun, and what they lack. */
  #open: string | undefined;

  constructor(definition: Definition, options: WorkflowTestOptions = {}) {
    this.#definition = definition;
    this.#given = [definition, ...(options.with ?? []).map((workflow) => workflow.definition)];
    this.#definitions = withChildren(this.#given);
    this.#options = options;
  }

  /** Starts the run, with what `engine.trigger()` takes: a schema of `.manual()` parses it. */
  trigger(...given: undefined extends Payload ? [payload?: Payload] : [payload: Payload]): this {
    if (this.#isTriggered) {
      throw new InvalidError(
        "request_invalid",
        ".trigger() was called twice: a test has one run. Use testApp() for several.",
      );
    }
    this.#isTriggered = true;
    return this.#add(async (life) => {
      const { world } = life.scenario;
      life.runId = await world.perform(() => world.engine.trigger(this.#definition.id, given[0]));
      await world.settle();
    });
  }

  /**
   * From here on, something stands for the handler of a step (or for the child run of a subflow): an output, a function
   * that makes one or throws, or `never`. Everything else of the step is real: retries, time-outs, `onError`. A later mock
   * of the same step takes its place. A mock that was not used by the end is an error.
   */
  mockStep<const Name extends StepNames<Steps>>(name: Name, mock: Mock<OutputNamed<Steps, Name>>): this {
    const { id } = this.#definition;
    const node = checkMock(this.#definition, name);
    return this.#push({
      prepare: (scenario) => {
        if (node.kind === "subflow") scenario.mockSubflow(id, name);
      },
      perform: async ({ scenario }) => scenario.mocks.addStep(id, name, mock),
    });
  }

  /**
   * Functions stand for the actions of a service: it is not set up, its secrets are not read, and calling any other of its
   * actions is an error. The service is what `defineService` or its `withConfig` gave, or its name in `ctx.services`.
   */
  mockService<Actions>(service: MockedService<Actions>, actions: MockActions<Actions>): this;
  mockService(service: string, actions: Readonly<Record<string, (...args: never[]) => unknown>>): this;
  mockService(service: string | MockedService<unknown>, actions: Readonly<Record<string, unknown>>): this {
    const key = serviceKey(this.#definitions, this.#options.services ?? [], service);
    return this.#push({ prepare: ({ mocks }) => mocks.addService(key, actions), perform: async () => {} });
  }

  /** Publishes an event as soon as a run waits for one of its name, now or later. One that never was is an error. */
  mockEvent(event: string, payload?: unknown): this {
    checkEvent(this.#definitions, event);
    return this.#add(async ({ scenario }) => {
      scenario.mocks.addEvent(event, payload);
      await scenario.world.settle();
    });
  }

  /**
   * Says yes to the request for approval that waits; what else is said is in `ctx.last`. `step` and `run` (that of a child)
   * say which when there are several.
   */
  approve(payload: Readonly<Record<string, unknown>> = {}, which: WhichApproval<Steps> = {}): this {
    return this.#answer({ ...payload, approved: true }, "approve", which);
  }

  /** Says no. */
  reject(payload: Readonly<Record<string, unknown>> = {}, which: WhichApproval<Steps> = {}): this {
    return this.#answer({ ...payload, approved: false }, "reject", which);
  }

  /**
   * Lets time pass: sleeps, delays, retries and time-outs come due as they would, one after the other. The runs that
   * schedules, intervals and polls start are not the one of the test: look at them in `testApp()`.
   */
  advance(duration: Duration): this {
    const ms = milliseconds(duration);
    return this.#add(({ scenario }) => scenario.world.advance(ms));
  }

  /**
   * The process dies, and another one goes on. Without `during` it dies now. With `during` it dies the next time the
   * handler of that step has done its work and before its result is recorded, so the handler is called once more: it
   * stands before what makes the step execute.
   */
  crash({ during }: { readonly during?: StepNames<Steps> } = {}): this {
    if (during === undefined) {
      return this.#add(async ({ scenario }) => {
        await scenario.world.crash();
        await scenario.world.settle();
      });
    }
    checkStep(this.#definition, "crash", during);
    const { id } = this.#definition;
    const isIt = (call: HandlerCall): boolean => call.workflowId === id && namesOf(call).includes(during);
    return this.#add(async ({ scenario }) => scenario.crashDuring(isIt));
  }

  /** What a step should have come to by now. The name of a step that does not exist is an error. */
  expectStep<const Name extends StepNames<Steps>>(name: Name): StepExpectation<OutputNamed<Steps, Name>, this> {
    checkStep(this.#definition, "expectStep", name);
    this.#open = `.expectStep("${name}")`;
    return new StepExpectation(name, (assertion, isExact) => this.#expect(assertion, isExact));
  }

  /** What the run should have come to by now. */
  expectRun(): RunExpectation<Output, this> {
    this.#open = ".expectRun()";
    return new RunExpectation((assertion) => this.#expect(assertion));
  }

  /** Does it all, and gives what came of it. Throws an `ExpectationError` for the first expectation that is not met. */
  async run(): Promise<TestResult<Output, Steps>> {
    return (await this.#live(NO_DEATH)).result;
  }

  /**
   * The same again and again, with a death of the process in each handler that is called: after it has done its work and
   * before its result is recorded. The run must come to the same end each time, and expectations hold each time but for
   * how often handlers were called. Gives what came of it without deaths.
   *
   * @param options `beforeEach`: makes the world outside as it was, before each of these lives of the workflow;
   *   `afterEach`: looks whether it is as it should be.
   */
  async runWithCrashes(options: CrashOptions = {}): Promise<TestResult<Output, Steps>> {
    const { result, calls } = await this.#around(options, NO_DEATH);
    for (const [place, call] of calls.entries()) {
      const where = `The process died in call ${place + 1} of ${calls.length}, of \`${call}\``;
      try {
        // Where nothing makes the world outside as it was, it must not take one life for another.
        const node = options.beforeEach === undefined ? 1 + (place % 255) : 0;
        const crashed = await this.#around(options, { crashAt: place, node });
        checkOutcome(result, crashed.result);
      } catch (error) {
        if (error instanceof Error) error.message = `${where}: ${error.message}`;
        throw error;
      }
    }
    return result;
  }

  async #around({ beforeEach, afterEach }: CrashOptions, death: Death): Promise<Lived<Output, Steps>> {
    await beforeEach?.();
    const lived = await this.#live(death);
    await afterEach?.();
    return lived;
  }

  async #live({ crashAt, node }: Death): Promise<Lived<Output, Steps>> {
    if (!this.#isTriggered)
      throw new InvalidError(
        "request_invalid",
        "The test starts no run: call .trigger() before .run(). Runs that are started by a schedule, an interval or a poll are tested in testApp().",
      );
    if (this.#open !== undefined) {
      throw new InvalidError("request_invalid", `${this.#open} says nothing of what is expected: go on with .to…().`);
    }
    const scenario = new Scenario({ ...this.#options, definitions: this.#given, childAdvice: CHILD_ADVICE, node });
    const life: Life = { scenario, runId: undefined };
    const calls: string[] = [];
    scenario.onCall = (call) => calls.push(namesOf(call)[1] as string) - 1 === crashAt;
    for (const { prepare } of this.#instructions) prepare?.(scenario);
    try {
      await scenario.start();
      for (const { perform, isExact = false } of this.#instructions) {
        if (!(isExact && crashAt !== undefined)) await perform(life);
      }
      const view = await scenario.view(life.runId as string);
      checkUsed(scenario, view);
      return { result: resultOf(view), calls };
    } finally {
      await scenario.close();
    }
  }

  #answer(payload: Readonly<Record<string, unknown>>, method: string, { step, run }: WhichApproval<Steps>): this {
    if (step !== undefined && this.#definitions.length === 1) checkStep(this.#definition, method, step);
    return this.#add(({ scenario, runId }) => {
      return scenario.answer(payload, { own: runId, step, run: run && scenario.ownId(run) });
    });
  }

  #expect(assertion: Assertion, isExact = false): this {
    this.#open = undefined;
    // Made here, so that its stack shows the line of the expectation.
    const error = new ExpectationError();
    return this.#push({
      isExact,
      perform: async ({ scenario, runId }) => {
        if (runId === undefined) throw new InvalidError("request_invalid", "An expectation stands before .trigger().");
        const view = await scenario.view(runId);
        const wrong = assertion(view);
        if (wrong === undefined) return;
        error.message = `${wrong}.\n\n${situation(view)}`;
        throw error;
      },
    });
  }

  #add(perform: Instruction["perform"]): this {
    return this.#push({ perform });
  }

  #push(instruction: Instruction): this {
    if (this.#open !== undefined) {
      throw new InvalidError("request_invalid", `${this.#open} says nothing of what is expected: go on with .to…().`);
    }
    this.#instructions.push(instruction);
    return this;
  }
}

/** The step, and the step in its iteration. */
function namesOf({ node, context }: HandlerCall): readonly [string, string] {
  return [node.name, context.idempotencyKey.slice(context.run.id.length + 1)];
}

function checkOutcome(expected: TestResult, got: TestResult): void {
  const [before, after] = [outcome(expected), outcome(got)];
  if (before === after) return;
  throw new ExpectationError(`the run came to another end.\nwithout: ${before}\nwith:    ${after}`);
}

/** What a run came to, as far as deaths of the process may not change it. */
function outcome({ status, output, error }: TestResult): string {
  return JSON.stringify({ status, output, error: error && { name: error.name, message: error.message } });
}

function checkUsed(scenario: Scenario, view: RunView): void {
  const unused = [
    ...scenario.mocks.unused(),
    ...(scenario.hasCrashLeft ? ["the death of the process of .crash({ during })"] : []),
  ];
  if (unused.length === 0) return;
  const list = unused.join(", ");
  throw new ExpectationError(
    `never used: ${list}. Remove what is not needed, or find out why it was not.\n\n${situation(view)}`,
  );
}

/** What a test is given of a run. */
export function resultOf<Output, Steps>({ record, steps, waits, nowMs }: RunView): TestResult<Output, Steps> {
  return {
    runId: record.runId,
    status: record.status,
    // Recorded by the workflow that has these types.
    output: record.output as Output | undefined,
    error: record.error,
    payload: record.payload,
    trigger: record.trigger,
    steps: steps as StepResults<Steps>,
    history: record.attempts,
    waits: waitTexts(waits, nowMs),
  };
}
