/** Every call of an action of a service goes through here: it is counted, logged, and its error says where it was. */
import { CancelSignal } from "../errors.ts";
import type { Logger } from "../log.ts";
import { ServiceError } from "./service-error.ts";
import type { AnyActions } from "./types.ts";

/** What a call is answered with instead of by its service. */
export type Intercepted = { readonly handled: true; readonly result: unknown } | { readonly handled: false };
/** Asked before each call. What it throws is what the action throws. */
export type Intercept = (service: string, action: string, args: readonly unknown[]) => Intercepted;

/** Who calls. */
export interface Caller {
  readonly run: string;
  /** Absent in hooks of the whole run. */
  readonly step: string | undefined;
}

/** What has been called so far. */
export interface ActionFigures {
  readonly service: string;
  readonly action: string;
  readonly calls: number;
  readonly failures: number;
  readonly totalMs: number;
}

export interface CallsOptions {
  /** One line per call at debug level. */
  readonly log?: Logger | undefined;
  readonly intercept?: Intercept | undefined;
}

export class Calls {
  readonly #options: CallsOptions;
  readonly #figures = new Map<string, { -readonly [K in keyof ActionFigures]: ActionFigures[K] }>();

  constructor(options: CallsOptions = {}) {
    this.#options = options;
  }

  /** The figures of every action that was called. */
  figures(): readonly ActionFigures[] {
    return [...this.#figures.values()].map((figures) => ({ ...figures, totalMs: Math.round(figures.totalMs) }));
  }

  /** Calls an action: at once or later, as it answers. */
  callAction(service: string, actions: AnyActions, action: string, args: readonly unknown[], caller: Caller): unknown {
    const beganMs = performance.now();
    const ended = (outcome: Outcome): void =>
      this.#ended(service, action, caller, performance.now() - beganMs, outcome);
    try {
      const intercepted = this.#options.intercept?.(service, action, args);
      const result = intercepted?.handled === true ? intercepted.result : call(actions, action, args);
      if (!isThenable(result)) {
        ended("completed");
        return result;
      }
      return result.then(
        (value) => {
          ended("completed");
          return value;
        },
        (error: unknown) => {
          throw failed(service, action, error, ended);
        },
      );
    } catch (error) {
      throw failed(service, action, error, ended);
    }
  }

  #ended(service: string, action: string, { run, step }: Caller, ms: number, outcome: Outcome): void {
    const name = `${service}.${action}`;
    let figures = this.#figures.get(name);
    if (figures === undefined) {
      figures = { service, action, calls: 0, failures: 0, totalMs: 0 };
      this.#figures.set(name, figures);
    }
    figures.calls += 1;
    figures.totalMs += ms;
    if (outcome === "failed") figures.failures += 1;
    const line = {
      service,
      action,
      run,
      ...(step !== undefined && { step }),
      ms: Math.round(ms * 1_000) / 1_000,
      outcome,
    };
    this.#options.log?.debug(`${name} ${outcome}`, line);
  }
}

type Outcome = "completed" | "failed" | "cancelled";

function call(actions: AnyActions, action: string, args: readonly unknown[]): unknown {
  // What the types of the action were checked against is what the handler was given.
  return Reflect.apply(actions[action] as (...args: unknown[]) => unknown, actions, args);
}

/** What the caller gets to see. A run that is cancelled by what an action calls back is cancelled, not failed. */
function failed(service: string, action: string, error: unknown, ended: (outcome: Outcome) => void): unknown {
  const isCancelled = error instanceof CancelSignal;
  ended(isCancelled ? "cancelled" : "failed");
  return isCancelled ? error : new ServiceError(service, action, error);
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
