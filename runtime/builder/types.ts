/** How the type of a flow changes from node to node. Everything here is for the compiler. */
import type { Context } from "../context.ts";
import type { SecretReferences } from "../definition/options.ts";
import type { Filled, Recorded } from "../recorded.ts";
import type { AnyService, ServicesOf } from "../services/types.ts";
import type { Flow } from "./flow.ts";
import type { NoTrigger, Workflow } from "./workflow.ts";

/** A name, or an object that also describes. */
export type StepName<Name extends string> =
  | Name
  | { readonly id: Name; readonly title?: string; readonly description?: string };

/** For nodes that have a name from their position unless they are given one. */
export interface Named<Name extends string> {
  readonly name?: StepName<Name>;
}

/** What handlers see of the payload: `unknown` until a trigger tells more. */
export type Seen<Payload> = [Payload] extends [NoTrigger] ? unknown : Payload;
/** What a handler in a flow is given; `Loop` is what the workflow and the loop around add. */
export type Ctx<Payload, Last, Done, Loop> = Context<Seen<Payload>, Last, Done> & Loop;

/**
 * What a workflow's services and secrets add to the context of its handlers; nothing when it names none. It stands in the
 * inferred types of workflows: exported, so that declarations can name it; nobody needs to write it.
 */
export type Uses<S extends readonly AnyService[], Names extends SecretReferences> = ([S] extends [readonly []]
  ? unknown
  : { readonly services: ServicesOf<S> }) &
  ([keyof Names] extends [never] ? unknown : { readonly secrets: { readonly [K in keyof Names]: string } });

/**
 * What is added to the context inside of a loop: `services` and `secrets` of the workflow, and the loop's own. It stands in
 * the inferred types of flows: exported, so that declarations can name it; nobody needs to write it.
 */
export type Inside<Loop, Fields> = Fields & Pick<Loop, keyof Loop & ("services" | "secrets")>;

/**
 * `ctx.steps` before the first step. It stands in the inferred types of workflows: exported, so that declarations can name
 * it; nobody needs to write it.
 */
export type NoSteps = Record<never, never>;

/** What a handler's return value is when it is read again. */
export type Output<T> = Recorded<Awaited<T>>;

/** A step's entry in `ctx.steps`; nothing for a node whose name is not known at compile time. */
export type Step<Name extends string, O> = string extends Name
  ? NoSteps
  : { readonly [K in Name]: { readonly output: O } };

/** The node that chained options speak of. */
export interface Current {
  /** Whether `ctx.last` is its output. */
  readonly hasOutput: boolean;
  /** Its name in `ctx.steps`; `never` when it has none there. */
  readonly name: string;
  /** The steps of its branch before it. */
  readonly before: unknown;
}
/**
 * Says that chained options speak of a node with an output: `Name` in `ctx.steps`, after the steps `Before`. It stands in
 * the inferred types of workflows: exported, so that declarations can name it; nobody needs to write it.
 */
export interface At<Name extends string, Before> extends Current {
  /** It has one. */
  readonly hasOutput: true;
  /** What it is called in `ctx.steps`; `never` when the compiler does not know. */
  readonly name: string extends Name ? never : Name;
  /** What `onError` starts from: the steps of its branch before it. */
  readonly before: Before;
}

/**
 * Says that chained options speak of a node that `ctx.last` passes through. It stands in the inferred types of workflows:
 * exported, so that declarations can name it; nobody needs to write it.
 */
export interface Passing extends Current {
  /** It has none. */
  readonly hasOutput: false;
  /** It is not in `ctx.steps`. */
  readonly name: never;
}

/** Which kind of flow methods give back: a workflow stays one. */
export interface Kinds<Payload, Last, Done, Here, C extends Current, Open extends Block, Loop, Takes> {
  readonly workflow: Workflow<Payload, Last, Done, Here, C, Open, Loop, Takes>;
  readonly flow: Flow<Payload, Last, Done, Here, C, Open, Loop>;
}
export type Kind = keyof Kinds<never, never, never, never, never, never, never, never>;

/** After a node with an output. */
export type Added<K extends Kind, Payload, O, Done, Here, Name extends string, Open extends Block, Loop, Takes> = Kinds<
  Payload,
  O,
  Done,
  Here & Step<Name, O>,
  At<Name, Here>,
  Open,
  Loop,
  Takes
>[K];

/** An open `if`, or that none is: what is known at its beginning, and of the branches that are finished. */
export interface Block {
  /** Whether an if is open. */
  readonly isOpen: boolean;
  /** Whether its `.else()` was written. */
  readonly hasElse: boolean;
  /** `ctx.last` before the if. */
  readonly before: unknown;
  /** The steps before the branch that the if stands in, and those in it, before the if. */
  readonly done: unknown;
  readonly here: unknown;
  /** `ctx.last` at the end of the finished branches. */
  readonly lasts: unknown;
  /** The steps of the finished branches. */
  readonly maybe: unknown;
  /** What it stands in. */
  readonly outer: Block;
}

/**
 * Says that no if is open in a flow. It stands in the inferred types of workflows: exported, so that declarations can name
 * it; nobody needs to write it.
 */
export interface Closed extends Block {
  /** None is. */
  readonly isOpen: false;
}

/**
 * An open if, and what its finished branches have made of `ctx.last` and `ctx.steps`. It stands in the inferred types of
 * workflows whose if has no `.endIf()` yet: exported, so that declarations can name it; nobody needs to write it.
 */
export interface If<Before, Done, Here, Lasts, Maybe, HasElse extends boolean, Outer extends Block> extends Block {
  /** One is. */
  readonly isOpen: true;
  /** Whether its `.else()` was written. */
  readonly hasElse: HasElse;
  /** `ctx.last` before the if. */
  readonly before: Before;
  /** The steps before the branch that the if stands in. */
  readonly done: Done;
  /** Those in it, before the if. */
  readonly here: Here;
  /** `ctx.last` at the end of the finished branches. */
  readonly lasts: Lasts;
  /** The steps of the finished branches: each of them may not have been done. */
  readonly maybe: Maybe;
  /** What the if stands in. */
  readonly outer: Outer;
}

/** In the first branch of an if. */
export type Opened<K extends Kind, Payload, Last, Done, Here, Open extends Block, Loop, Takes> = Kinds<
  Payload,
  Last,
  Done & Here,
  NoSteps,
  Passing,
  If<Last, Done, Here, never, unknown, false, Open>,
  Loop,
  Takes
>[K];

/** In the next branch of an if. */
export type NextBranch<
  K extends Kind,
  Payload,
  Last,
  Here,
  HasElse extends boolean,
  Open extends Block,
  Loop,
  Takes,
> = Kinds<
  Payload,
  Open["before"],
  Open["done"] & Open["here"],
  NoSteps,
  Passing,
  If<
    Open["before"],
    Open["done"],
    Open["here"],
    Open["lasts"] | Last,
    Open["maybe"] & Partial<Here>,
    HasElse,
    Open["outer"]
  >,
  Loop,
  Takes
>[K];

/**
 * After an if: the steps of its branches may not have been done. Only the steps of a branch are mapped, never all so
 * far: mapped types inside mapped types make the compiler's work double with every if.
 */
export type Ended<K extends Kind, Payload, Last, Here, Open extends Block, Loop, Takes> = Kinds<
  Payload,
  Open["lasts"] | Last | (Open["hasElse"] extends true ? never : Open["before"]),
  Open["done"],
  Open["here"] & Open["maybe"] & Partial<Here>,
  At<never, never>,
  Open["outer"],
  Loop,
  Takes
>[K];

/** Where `.else()` and `.endIf()` may not stand; `Why` is shown by the compiler. */
export interface Misplaced<Why extends string> {
  readonly misplaced: Why;
}
export type InIf<Open extends Block> = Open["isOpen"] extends true
  ? unknown
  : Misplaced<"there is no open .if() in this flow">;
export type BeforeElse<Open extends Block> = Open["isOpen"] extends true
  ? Open["hasElse"] extends true
    ? Misplaced<"this .if() has its .else() already">
    : unknown
  : Misplaced<"there is no open .if() in this flow">;

/** A flow that may end a branch: all its ifs are closed. */
export interface Ending<Last = unknown> {
  readonly types: { readonly output: Last; readonly isOpen: false };
}

/** What a branch is given: a context for those that are handlers, a flow for those that build one. */
export type Start<Payload, Last, Done, Loop> = Flow<Payload, Last, Done, NoSteps, Passing, Closed, Loop> &
  Ctx<Payload, Last, Done, Loop>;

/** What a branch gives: the last output of its flow, or what its handler returns. */
export type BranchOutput<R> = R extends { readonly types: { readonly output: infer O } } ? O : Output<R>;

export type AnyBranch<S> = (start: S) => unknown;
export type Outputs<Branches extends readonly unknown[]> = {
  -readonly [I in keyof Branches]: Branches[I] extends (start: never) => infer R ? BranchOutput<R> : never;
};
export type Filling<Outputs> = { [Key in keyof Outputs]: Filled<Outputs[Key]> };
/** The branches whose outputs are `R`. */
export type NamedBranches<S, R> = {
  readonly [Key in keyof R]: (start: S) => Ending<R[Key]> | PromiseLike<R[Key]> | R[Key];
};

/** What the body of a `while` may return when it carries `T` from iteration to iteration. */
export type Carrying<T> = Ending<T> | T | PromiseLike<T> | Nothing<T>;
type Nothing<T> = undefined extends T ? void | PromiseLike<void> : never;

/** What a wait gives when its time was over. */
export interface TimedOut {
  /** Tells it from an event that came. */
  readonly timedOut: true;
}

/** What a person has answered, or that nobody did. */
export interface Approval {
  /** Whether a person said yes: false also when nobody answered in time. */
  readonly approved: boolean;
  /** Whether nobody answered in time. */
  readonly timedOut: boolean;
  /** The same in a word: `"timeout"` when nobody answered in time. */
  readonly status: "approved" | "rejected" | "timeout";
  /** What else the answer said. */
  readonly [key: string]: unknown;
}
