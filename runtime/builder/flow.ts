/**
 * The flow language, as users see it. Its types carry what each node returns to the nodes after it; what the words do
 * is in `flow-builder.ts`.
 */
import type { BatchFields, ErrorContext, ItemFields, PauseContext } from "../context.ts";
import type { CacheOptions, CircuitBreakerOptions, RetryOptions, StepOptions } from "../definition.ts";
import type { Duration } from "../duration.ts";
import type { LogLevel } from "../log.ts";
import type { Recorded } from "../recorded.ts";
import type { InputOf, Schema } from "../schema.ts";
import type { Moment } from "./functions.ts";
import type {
  Added,
  AnyBranch,
  Approval,
  BeforeElse,
  Block,
  Carrying,
  Closed,
  Ctx,
  Current,
  Ended,
  Ending,
  InIf,
  Inside,
  Kind,
  Kinds,
  Named,
  NamedBranches,
  NextBranch,
  NoSteps,
  Opened,
  Output,
  Outputs,
  Passing,
  Seen,
  Start,
  Step,
  StepName,
  TimedOut,
} from "./types.ts";
import type { AnyWorkflow, PayloadOf, RunOutputOf } from "./workflow.ts";

/** A flow inside a workflow: a branch, or the body of a loop. */
export interface Flow<
  Payload,
  Last = undefined,
  Done = NoSteps,
  Here = NoSteps,
  C extends Current = Passing,
  Open extends Block = Closed,
  Loop = unknown,
> extends FlowMethods<"flow", Payload, Last, Done, Here, C, Open, Loop> {
  /** For the compiler only: what `ctx.last` is at its end, and whether an if is open. */
  readonly types: { readonly output: Last; readonly isOpen: Open["isOpen"] };
}

/**
 * What can be added to a workflow or a flow.
 *
 * `Last` is the output of the latest node, `Done` the steps before the open if, `Here` those after, `C` the node that chained options speak
 * of, `Open` the ifs that are not closed, `Loop` what the workflow and the loop around add to the context.
 */
export interface FlowMethods<K extends Kind, Payload, Last, Done, Here, C extends Current, Open extends Block, Loop> {
  /** A durable step: once its output is recorded, it never runs again. */
  step<const Name extends string, T>(
    name: StepName<Name>,
    handler: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => T,
    options?: StepOptions,
  ): Added<K, Payload, Output<T>, Done, Here, Name, Open, Loop>;

  /** As durable as a step; its output is dropped and `ctx.last` passes through. */
  action(
    name: StepName<string>,
    handler: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => unknown,
    options?: StepOptions,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop>[K];

  /** Writes a line to the log, once. Default level `"info"`. */
  log(
    message: string | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => string),
    level?: LogLevel,
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop>[K];

  /** When the functions of the node before are tried again. */
  retry(retry: RetryOptions): this;
  /** How long an attempt of the step before may take. */
  timeout(timeout: Duration): this;
  /** How long to wait before the first attempt of the step before. */
  delay(delay: Duration): this;
  /** Uses the output of the step before again, in other runs too. */
  cache(cache: CacheOptions): this;
  /** Stops calling the step before when it keeps failing. */
  circuitBreaker(options?: CircuitBreakerOptions): this;

  /** Called after the node before failed for good; what it returns becomes the node's output. */
  onError<T>(
    handler: (ctx: ErrorContext<Seen<Payload>, unknown, Done & Here> & Loop) => T,
  ): Kinds<
    Payload,
    C["hasOutput"] extends true ? Last | Output<T> : Last,
    Done,
    [C["name"]] extends [never] ? Here : C["before"] & Step<C["name"], Last | Output<T>>,
    C,
    Open,
    Loop
  >[K];

  /** What follows is done when the condition holds, until `elseIf`, `else` or `endIf`. */
  if(
    condition: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
  ): Opened<K, Payload, Last, Done, Here, Open, Loop>;
  if(
    name: StepName<string>,
    condition: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
  ): Opened<K, Payload, Last, Done, Here, Open, Loop>;

  /** What follows is done when no condition before held and this one does. */
  elseIf(
    this: BeforeElse<Open>,
    condition: (ctx: Ctx<Payload, Open["before"], Open["done"] & Open["here"], Loop>) => boolean | PromiseLike<boolean>,
  ): NextBranch<K, Payload, Last, Here, false, Open, Loop>;

  /** What follows is done when no condition before held. */
  else(this: BeforeElse<Open>): NextBranch<K, Payload, Last, Here, true, Open, Loop>;

  /** Ends the if. `ctx.last` is that of the branch that was done. */
  endIf(this: InIf<Open>): Ended<K, Payload, Last, Here, Open, Loop>;

  /**
   * Does all branches at the same time; each is a handler or a function that adds to a flow. `ctx.last` is the list
   * (object) of their outputs. One that fails makes the block fail after the others have ended.
   */
  parallel<
    const Branches extends readonly AnyBranch<Start<Payload, Last, Done & Here, Loop>>[],
    const Name extends string = never,
  >(branches: Branches, options?: Named<Name>): Added<K, Payload, Outputs<Branches>, Done, Here, Name, Open, Loop>;
  parallel<R extends Readonly<Record<string, unknown>>, const Name extends string = never>(
    branches: NamedBranches<Start<Payload, Last, Done & Here, Loop>, R>,
    options?: Named<Name>,
  ): Added<K, Payload, Recorded<R>, Done, Here, Name, Open, Loop>;

  /** Does all branches at the same time; `ctx.last` is the output of the first that succeeds, the others are cancelled. */
  race<
    const Branches extends readonly AnyBranch<Start<Payload, Last, Done & Here, Loop>>[],
    const Name extends string = never,
  >(
    branches: Branches,
    options?: Named<Name>,
  ): Added<K, Payload, Outputs<Branches>[number], Done, Here, Name, Open, Loop>;

  /**
   * Repeats the body as long as the condition holds, at most `maxIterations` times (default 1,000). `ctx.last` is what
   * the iteration before returned, at first the output before the loop. When the two are of different types, say what
   * the body returns: `.while<Page>(…)`.
   */
  while<Carried = Last, const Name extends string = string>(
    name: StepName<Name>,
    condition: (ctx: Ctx<Payload, Last | Carried, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
    body: (start: Start<Payload, Last | Carried, Done & Here, Loop>) => Carrying<NoInfer<Carried>>,
    options?: { readonly maxIterations?: number },
  ): Added<K, Payload, Last | Carried, Done, Here, Name, Open, Loop>;

  /**
   * Does the body for each item; the body adds to the flow it is given. `ctx.last` is the list of their last outputs.
   * Default `concurrency` 1: one item after the other.
   */
  forEach<const Name extends string, Item, R extends Ending>(
    name: StepName<Name>,
    items: readonly Item[] | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Items<Item>),
    body: (
      item: Recorded<Item>,
      flow: Flow<Payload, undefined, Done & Here, NoSteps, Passing, Closed, Inside<Loop, ItemFields<Recorded<Item>>>>,
    ) => R,
    options?: { readonly concurrency?: number },
  ): Added<K, Payload, R["types"]["output"][], Done, Here, Name, Open, Loop>;

  /** Does the body for every `size` items. `ctx.last` is the list of their last outputs. */
  batch<const Name extends string, Item, R extends Ending>(
    name: StepName<Name>,
    options: {
      readonly items: readonly Item[] | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Items<Item>);
      readonly size: number;
      readonly concurrency?: number;
    },
    body: (
      batch: readonly Recorded<Item>[],
      flow: Flow<Payload, undefined, Done & Here, NoSteps, Passing, Closed, Inside<Loop, BatchFields<Recorded<Item>>>>,
    ) => R,
  ): Added<K, Payload, R["types"]["output"][], Done, Here, Name, Open, Loop>;

  /** Waits for some time. */
  sleep(
    duration: Duration | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Duration | PromiseLike<Duration>),
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop>[K];

  /** Waits until a moment: a `Date`, milliseconds since 1970, or ISO-8601. */
  sleepUntil(
    moment: Moment | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Moment | PromiseLike<Moment>),
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop>[K];

  /** Waits for an event that is published after the wait began. `ctx.last` is its payload. */
  waitForEvent<
    S extends Schema = Schema,
    Timeout extends Duration | undefined = undefined,
    const Name extends string = never,
  >(
    event: string,
    options?: {
      readonly name?: StepName<Name>;
      /** How long to wait; then `ctx.last` is `{ timedOut: true }`. Default: as long as it takes. */
      readonly timeout?: Timeout;
      /** Events that do not match are passed over. */
      readonly schema?: S;
      /** Events for which it is false are passed over. One that throws fails the wait: give a `schema`, too. */
      readonly filter?: (
        event: Recorded<InputOf<S>>,
        ctx: Ctx<Payload, Last, Done & Here, Loop>,
      ) => boolean | PromiseLike<boolean>;
    },
  ): Added<
    K,
    Payload,
    Recorded<InputOf<S>> | ([Timeout] extends [undefined] ? never : TimedOut),
    Done,
    Here,
    Name,
    Open,
    Loop
  >;

  /** Waits for a person's answer, which is given with a token that only `onPause` sees. */
  humanInTheLoop<const Name extends string = never>(options?: {
    readonly name?: StepName<Name>;
    /** What is to be approved. */
    readonly description?: string;
    /** How long to wait; then the status is `"timeout"`. Default: as long as it takes. */
    readonly timeout?: Duration;
    /** Tells somebody. */
    readonly onPause?: (ctx: PauseContext<Seen<Payload>, Last, Done & Here> & Loop, token: string) => unknown;
    /** Called when nobody has answered. */
    readonly onTimeout?: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => unknown;
    /** Makes `ctx.approvalUrl` of `onPause`. */
    readonly approvalUrl?: (token: string) => string;
    /** What else is to be shown. JSON. */
    readonly metadata?: unknown;
  }): Added<K, Payload, Approval, Done, Here, Name, Open, Loop>;

  /**
   * Starts a run of another workflow and waits for it; `ctx.last` is its output. Without an input it is given
   * `ctx.last`.
   */
  subflow<const Name extends string, W extends AnyWorkflow>(
    name: StepName<Name>,
    workflow: W,
    input?: PayloadOf<W> | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => PayloadOf<W> | PromiseLike<PayloadOf<W>>),
  ): Added<K, Payload, RunOutputOf<W>, Done, Here, Name, Open, Loop>;
  subflow<const Name extends string>(
    name: StepName<Name>,
    workflowId: string,
    input?: JsonValue | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => unknown),
  ): Added<K, Payload, unknown, Done, Here, Name, Open, Loop>;

  /** Ends the run as cancelled, which is no failure. */
  cancel(reason?: string, options?: Named<string>): Kinds<Payload, never, Done, Here, Passing, Open, Loop>[K];
}

type Items<Item> = readonly Item[] | PromiseLike<readonly Item[]>;
/** Anything but a function, which would be called. */
type JsonValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | { readonly [key: string]: unknown }
  | readonly unknown[];
