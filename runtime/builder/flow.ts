/**
 * The flow language, as users see it. Its types carry what each node returns to the nodes after it; what the words do
 * is in `flow-builder.ts`.
 */
import type { BatchFields, ErrorContext, ItemFields, PauseContext } from "../context.ts";
import type { CacheOptions, CircuitBreakerOptions, RetryOptions, StepOptions } from "../definition.ts";
import type { Duration } from "../duration.ts";
import type { LogLevel } from "../log.ts";
import type { Filled, Recorded } from "../recorded.ts";
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
  Filling,
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
import type { AnyWorkflow, NoTrigger, Outcome, PayloadOf } from "./workflow.ts";

/** A flow inside a workflow: a branch, or the body of a loop. */
export interface Flow<
  Payload,
  Last = undefined,
  Done = NoSteps,
  Here = NoSteps,
  C extends Current = Passing,
  Open extends Block = Closed,
  Loop = unknown,
> extends FlowMethods<"flow", Payload, Last, Done, Here, C, Open, Loop, NoTrigger> {
  /** For the compiler only: what `ctx.last` is at its end, and whether an if is open. */
  readonly types: { readonly output: Last; readonly isOpen: Open["isOpen"] };
}

/**
 * What can be added to a workflow or a flow.
 *
 * `Last` is the output of the latest node, `Done` the steps before the open if, `Here` those after, `C` the node that chained options speak
 * of, `Open` the ifs that are not closed, `Loop` what the workflow and the loop around add to the context, `Takes` what a
 * workflow's `trigger` is given.
 */
export interface FlowMethods<
  K extends Kind,
  Payload,
  Last,
  Done,
  Here,
  C extends Current,
  Open extends Block,
  Loop,
  Takes,
> {
  /** A durable step: once its output is recorded, it never runs again. */
  step<const Name extends string, T>(
    name: StepName<Name>,
    handler: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => T,
    options?: StepOptions,
  ): Added<K, Payload, Output<T>, Done, Here, Name, Open, Loop, Takes>;

  /** As durable as a step; its output is dropped and `ctx.last` passes through. */
  action(
    name: StepName<string>,
    handler: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => unknown,
    options?: StepOptions,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop, Takes>[K];

  /** Writes a line to the log, once. Default level `"info"`. */
  log(
    message: string | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => string),
    level?: LogLevel,
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop, Takes>[K];

  /** When the functions of the node before are tried again. */
  retry(retry: RetryOptions): this;
  /** How long an attempt of the step before may take. */
  timeout(timeout: Duration): this;
  /** How long to wait before the first attempt of the step before. */
  delay(delay: Duration): this;
  /** Uses the output of the step before again, in other runs too. `undefined` is no output: such a step is called each time. */
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
    Loop,
    Takes
  >[K];

  /** What follows is done when the condition holds, until `elseIf`, `else` or `endIf`. */
  if(
    condition: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
  ): Opened<K, Payload, Last, Done, Here, Open, Loop, Takes>;
  if(
    name: StepName<string>,
    condition: (ctx: Ctx<Payload, Last, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
  ): Opened<K, Payload, Last, Done, Here, Open, Loop, Takes>;

  /** What follows is done when no condition before held and this one does. */
  elseIf(
    this: BeforeElse<Open>,
    condition: (ctx: Ctx<Payload, Open["before"], Open["done"] & Open["here"], Loop>) => boolean | PromiseLike<boolean>,
  ): NextBranch<K, Payload, Last, Here, false, Open, Loop, Takes>;

  /** What follows is done when no condition before held. */
  else(this: BeforeElse<Open>): NextBranch<K, Payload, Last, Here, true, Open, Loop, Takes>;

  /** Ends the if. `ctx.last` is that of the branch that was done. */
  endIf(this: InIf<Open>): Ended<K, Payload, Last, Here, Open, Loop, Takes>;

  /**
   * Does all branches at the same time; each is a handler or a function that adds to a flow. `ctx.last` is the list
   * (object) of their outputs. One that fails makes the block fail after the others have ended.
   */
  parallel<
    const Branches extends readonly AnyBranch<Start<Payload, Last, Done & Here, Loop>>[],
    const Name extends string = never,
  >(
    branches: Branches,
    options?: Named<Name>,
  ): Added<K, Payload, Filling<Outputs<Branches>>, Done, Here, Name, Open, Loop, Takes>;
  // Its output is written out: declarations could not name an alias.
  parallel<R extends Readonly<Record<string, unknown>>, const Name extends string = never>(
    branches: NamedBranches<Start<Payload, Last, Done & Here, Loop>, R>,
    options?: Named<Name>,
  ): Added<K, Payload, { [Key in keyof R]: Filled<Recorded<R[Key]>> }, Done, Here, Name, Open, Loop, Takes>;

  /** Does all branches at the same time; `ctx.last` is the output of the first that succeeds, the others are cancelled. */
  race<
    const Branches extends readonly AnyBranch<Start<Payload, Last, Done & Here, Loop>>[],
    const Name extends string = never,
  >(
    branches: Branches,
    options?: Named<Name>,
  ): Added<K, Payload, Outputs<Branches>[number], Done, Here, Name, Open, Loop, Takes>;

  /**
   * Repeats the body as long as the condition holds, at most `maxIterations` times (default 1,000). `ctx.last` is what
   * the iteration before returned, at first the output before the loop. When the two are of different types, say what
   * the body returns, and the name: `.while<Page, "pages">("pages", …)`.
   */
  while<Carried = Last, const Name extends string = string>(
    name: StepName<Name>,
    condition: (ctx: Ctx<Payload, Last | Carried, Done & Here, Loop>) => boolean | PromiseLike<boolean>,
    body: (start: Start<Payload, Last | Carried, Done & Here, Loop>) => Carrying<NoInfer<Carried>>,
    options?: { readonly maxIterations?: number },
  ): Added<K, Payload, Last | Carried, Done, Here, Name, Open, Loop, Takes>;

  /**
   * Does the body for each item; the body adds to the flow it is given. `ctx.last` is the list of their last outputs.
   * Default `concurrency` 1: one item after the other.
   */
  forEach<const Name extends string, Item, R extends Ending>(
    name: StepName<Name>,
    items: readonly Item[] | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Items<Item>),
    body: (
      item: Filled<Recorded<Item>>,
      flow: Flow<
        Payload,
        undefined,
        Done & Here,
        NoSteps,
        Passing,
        Closed,
        Inside<Loop, ItemFields<Filled<Recorded<Item>>>>
      >,
    ) => R,
    options?: { readonly concurrency?: number },
  ): Added<K, Payload, Filled<R["types"]["output"]>[], Done, Here, Name, Open, Loop, Takes>;

  /** Does the body for every `size` items. `ctx.last` is the list of their last outputs. */
  batch<const Name extends string, Item, R extends Ending>(
    name: StepName<Name>,
    options: {
      readonly items: readonly Item[] | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Items<Item>);
      readonly size: number;
      readonly concurrency?: number;
    },
    body: (
      batch: readonly Filled<Recorded<Item>>[],
      flow: Flow<
        Payload,
        undefined,
        Done & Here,
        NoSteps,
        Passing,
        Closed,
        Inside<Loop, BatchFields<Filled<Recorded<Item>>>>
      >,
    ) => R,
  ): Added<K, Payload, Filled<R["types"]["output"]>[], Done, Here, Name, Open, Loop, Takes>;

  /** Waits for some time. */
  sleep(
    duration: Duration | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Duration | PromiseLike<Duration>),
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop, Takes>[K];

  /** Waits until a moment: a `Date`, milliseconds since 1970, or ISO-8601. */
  sleepUntil(
    moment: Moment | ((ctx: Ctx<Payload, Last, Done & Here, Loop>) => Moment | PromiseLike<Moment>),
    options?: Named<string>,
  ): Kinds<Payload, Last, Done, Here, Passing, Open, Loop, Takes>[K];

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
    Loop,
    Takes
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
  }): Added<K, Payload, Approval, Done, Here, Name, Open, Loop, Takes>;

  /**
   * Starts a run of another workflow and waits for it; `ctx.last` is its output. Without an input it is given `ctx.last`;
   * an input is needed where that is not what the child's `ctx.payload` is. No schema of the child is applied.
   */
  subflow<const Name extends string, W extends string | AnyWorkflow>(
    name: StepName<Name>,
    workflow: W,
    ...input: ChildInput<W, Last, Ctx<Payload, Last, Done & Here, Loop>>
  ): Added<K, Payload, Outcome<W>, Done, Here, Name, Open, Loop, Takes>;

  /** Ends the run as cancelled, which is no failure. */
  cancel(reason?: string, options?: Named<string>): Kinds<Payload, never, Done, Here, Passing, Open, Loop, Takes>[K];
}

type Items<Item> = readonly Item[] | PromiseLike<readonly Item[]>;
/**
 * What a child is given. One signature for workflows and their ids: of several, the compiler tells what is wrong with one
 * that was not meant.
 */
type ChildInput<W extends string | AnyWorkflow, Last, C> = W extends AnyWorkflow
  ? [Last] extends [PayloadOf<W>]
    ? [input?: Made<PayloadOf<W>, C>]
    : [input: Made<PayloadOf<W>, C>]
  : [input?: Made<unknown, C>];
/** A value, or what makes it. */
type Made<T, C> = unknown extends T ? NoFunction | ((ctx: C) => unknown) : T | ((ctx: C) => T | PromiseLike<T>);
/** Anything but a function, which would be called. */
type NoFunction =
  | string
  | number
  | boolean
  | null
  | undefined
  | { readonly [key: string]: unknown }
  // What has the type of an interface has no index signature.
  | (object & { readonly bind?: never });
