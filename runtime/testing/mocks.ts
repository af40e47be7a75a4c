/** What stands for steps and services in a test. */
import type { AnyContext } from "../context.ts";
import type { Intercepted } from "../services/calls.ts";
import type { Service } from "../services/types.ts";
import { suggestion } from "./names.ts";

/** A mock that never answers: the step executes until its time-out, or for as long as the run does. */
export const never: unique symbol = Symbol("a step that never ends");

/** An output, a function that makes one or throws, or `never`. */
export type Mock<Output> = Output | typeof never | ((context: AnyContext) => Output | PromiseLike<Output>);

/** Functions that stand for the actions of a service. */
export type MockActions<Actions> = {
  readonly [Name in keyof Actions]?: Actions[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Result | Awaited<Result>
    : never;
};

/** A service as `defineService` gives it, whatever it is configured with. */
export interface DefinedService<Actions> {
  /** What it was defined with. */
  readonly id: string;
  /** Gives one that can be called. */
  withConfig(...given: never[]): Service<string, Actions, unknown>;
}

/** A service that a mock stands for: configured, or as it was defined. */
export type MockedService<Actions> = Service<string, Actions, unknown> | DefinedService<Actions>;

/** A mock of a step. */
export interface StepMock {
  readonly workflowId: string;
  readonly step: string;
  readonly mock: unknown;
  isUsed: boolean;
}

/** A mock of a service. */
export interface ServiceMock {
  readonly service: string;
  readonly actions: Readonly<Record<string, unknown>>;
  isUsed: boolean;
}

/** An event that is published as soon as a run waits for one of its name. */
export interface EventMock {
  readonly event: string;
  readonly payload: unknown;
  isUsed: boolean;
}

export class Mocks {
  readonly #steps = new Map<string, StepMock>();
  readonly #services = new Map<string, ServiceMock>();
  /** What must be used, in order. A mock that is replaced before it was used, a default perhaps, is not among it. */
  readonly #all: { readonly what: string; readonly of: { readonly isUsed: boolean } }[] = [];
  readonly #events: EventMock[] = [];

  addStep(workflowId: string, step: string, mock: unknown): void {
    const made = { workflowId, step, mock, isUsed: false };
    this.#forget(this.step(workflowId, step));
    this.#steps.set(`${workflowId}\n${step}`, made);
    this.#all.push({ what: `the mock of step \`${step}\``, of: made });
  }

  step(workflowId: string, step: string): StepMock | undefined {
    return this.#steps.get(`${workflowId}\n${step}`);
  }

  addService(service: string, actions: Readonly<Record<string, unknown>>): void {
    const made = { service, actions, isUsed: false };
    this.#forget(this.#services.get(service));
    this.#services.set(service, made);
    this.#all.push({ what: `the mock of service \`${service}\``, of: made });
  }

  hasService(service: string): boolean {
    return this.#services.has(service);
  }

  /** Answers a call of an action of a mocked service. */
  readonly intercept = (service: string, action: string, args: readonly unknown[]): Intercepted => {
    const mock = this.#services.get(service);
    if (mock === undefined) return { handled: false };
    mock.isUsed = true;
    const called = mock.actions[action];
    if (typeof called !== "function") {
      throw new Error(
        `the mock of service \`${service}\` has no action \`${action}\`. ${suggestion(action, Object.keys(mock.actions))}`,
      );
    }
    return { handled: true, result: Reflect.apply(called, mock.actions, args) };
  };

  addEvent(event: string, payload: unknown): void {
    const made = { event, payload, isUsed: false };
    this.#events.push(made);
    this.#all.push({ what: `the event \`${event}\` of .mockEvent()`, of: made });
  }

  /** The first event that is waited for and has not been published. */
  eventFor(isAwaited: (event: string) => boolean): EventMock | undefined {
    return this.#events.find(({ event, isUsed }) => !isUsed && isAwaited(event));
  }

  get hasEvents(): boolean {
    return this.#events.some(({ isUsed }) => !isUsed);
  }

  #forget(replaced: { readonly isUsed: boolean } | undefined): void {
    const place = this.#all.findIndex(({ of }) => of === replaced);
    if (place !== -1) this.#all.splice(place, 1);
  }

  /** What was said, and never came to be. */
  unused(): readonly string[] {
    return this.#all.filter(({ of }) => !of.isUsed).map(({ what }) => what);
  }
}
