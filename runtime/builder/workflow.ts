/** A workflow under construction, and when it is finished, the handle it is triggered by. */

import type {
  EventOptions,
  IntervalOptions,
  Poll,
  PollItem,
  PollOptions,
  ScheduleOptions,
} from "../definition/triggers.ts";
import type { Definition, WebhookOptions } from "../definition.ts";
import type { Duration } from "../duration.ts";
import type { Recorded } from "../recorded.ts";
import type { InputOf, OutputOf, Schema } from "../schema.ts";
import type { Emitted, Service, TriggerOptionsOf } from "../services/types.ts";
import type { WorkflowTest, WorkflowTestOptions } from "../testing/workflow-test.ts";
import type { FlowMethods } from "./flow.ts";
import type { Block, Closed, Current, NoSteps, Passing, Seen } from "./types.ts";
import { WorkflowBuilder } from "./workflow-builder.ts";

declare const noTrigger: unique symbol;
/**
 * The payload of a workflow that no trigger has been named for yet; handlers see `unknown`. In the place of what a schema of
 * `manual` takes: there is none. It stands in the inferred types of workflows: exported, so that declarations can name it;
 * nobody needs to write it.
 */
export type NoTrigger = { readonly [noTrigger]: true };
/** Several triggers give a union. */
type Payloads<Before, Added> = [Before] extends [NoTrigger] ? Added : Before | Added;
/** What calls are given is parsed by the schema of the first `manual`. */
type First<Before, Added> = [Before] extends [NoTrigger] ? Added : Before;
/** Without a `manual`, what calls are given is the payload. */
type Input<Payload, Takes> = [Takes] extends [NoTrigger] ? Seen<Payload> : Takes;

/**
 * A workflow: triggers, and everything of the flow language.
 *
 * `Payload` is what runs start with, `Last` the output of the latest node, `Done` the steps before the open if,
 * `Here` those after, `C` the node that chained options speak of, `Open` the ifs that are not closed, `Uses` the services
 * and secrets of its handlers, `Takes` what the schema of `manual` takes.
 */
export interface Workflow<
  Payload = NoTrigger,
  Last = undefined,
  Done = NoSteps,
  Here = NoSteps,
  C extends Current = Passing,
  Open extends Block = Closed,
  Uses = unknown,
  Takes = NoTrigger,
> extends FlowMethods<"workflow", Payload, Last, Done, Here, C, Open, Uses, Takes> {
  /** The engine's side: what it is told of the workflow. Not for users. */
  readonly definition: Definition;
  /** What it was defined with: unique in the engine. */
  readonly id: string;
  /** For the compiler only: at run time there is no such property. */
  readonly types: {
    /** What `ctx.payload` is. */
    readonly payload: Seen<Payload>;
    /** What `trigger` and `execute` are given: the schema of `manual` makes the payload of it. */
    readonly input: Input<Payload, Takes>;
    /** The output of the latest node: at the end, what runs return. */
    readonly output: Last;
    /** What `ctx.steps` has of the nodes so far. */
    readonly steps: Done & Here;
    /** Whether an `.if()` waits for its `.endIf()`. */
    readonly isOpen: Open["isOpen"];
  };

  /**
   * Begins a test of the workflow: on the real engine with a store in memory, in a time that the test moves. It needs no
   * engine that is started, and leaves nothing behind.
   */
  test(options?: WorkflowTestOptions): WorkflowTest<Input<Payload, Takes>, Last, Done & Here>;

  /** Starts a run for each request to this path. */
  onWebhook<S extends Schema = Schema>(
    path: `/${string}`,
    options?: WebhookOptions<S>,
  ): Workflow<Payloads<Payload, Recorded<OutputOf<S>>>, Last, Done, Here, C, Open, Uses, Takes>;

  /**
   * Starts a run whenever the clock of a time zone shows what a cron expression says: 5 fields (minute, hour, day of
   * month, month, day of week), or 6 with seconds first. A time that a zone skips is the first instant after the gap, a
   * time that occurs twice counts once, and patterns for every hour follow real hours. `ctx.payload` is undefined,
   * `ctx.trigger.scheduledAt` the instant.
   */
  onSchedule(
    cron: string,
    options?: ScheduleOptions,
  ): Workflow<Payloads<Payload, undefined>, Last, Done, Here, C, Open, Uses, Takes>;

  /** Starts a run again and again, counted from the first start of the workflow, to the millisecond. */
  onInterval(
    every: Duration,
    options?: IntervalOptions,
  ): Workflow<Payloads<Payload, undefined>, Last, Done, Here, C, Open, Uses, Takes>;

  /** Starts a run for each event of this name that is published; what the event says is the payload. */
  onEvent<S extends Schema = Schema>(
    event: string,
    options?: EventOptions<S>,
  ): Workflow<Payloads<Payload, Recorded<OutputOf<S>>>, Last, Done, Here, C, Open, Uses, Takes>;

  /** Asks for items again and again; each item whose `id` was not seen before starts a run, and is its payload. */
  onPoll<Item extends PollItem>(
    poll: Poll<Item>,
    options: PollOptions,
  ): Workflow<Payloads<Payload, Recorded<Item>>, Last, Done, Here, C, Open, Uses, Takes>;

  /**
   * Starts a run for each message that a trigger of a service emits; the message is the payload. It listens for as long
   * as the engine runs.
   */
  onService<Triggers, const Name extends keyof Triggers & string>(
    service: Service<string, unknown, Triggers>,
    trigger: Name,
    ...options: TriggerOptionsOf<Triggers[Name]>
  ): Workflow<Payloads<Payload, Emitted<Triggers[Name]>>, Last, Done, Here, C, Open, Uses, Takes>;

  /**
   * Runs are started by `trigger` and `execute`. A schema parses what they are given: they take what it takes, handlers
   * see what it makes of that.
   */
  manual<S extends Schema = Schema>(options?: {
    readonly schema?: S;
  }): Workflow<Payloads<Payload, Recorded<OutputOf<S>>>, Last, Done, Here, C, Open, Uses, First<Takes, InputOf<S>>>;
}

/** Begins a workflow on an empty definition. */
export const Workflow = WorkflowBuilder as unknown as new <Uses = unknown>(
  definition: Definition,
) => Workflow<NoTrigger, undefined, NoSteps, NoSteps, Passing, Closed, Uses>;

/** Any workflow, whatever it carries. */
export interface AnyWorkflow {
  /** The engine's side: what it is told of the workflow. Not for users. */
  readonly definition: Definition;
  /** What it was defined with: unique in the engine. */
  readonly id: string;
  /** For the compiler only: what runs start with, what makes one, and what they return. */
  readonly types: { readonly payload: unknown; readonly input: unknown; readonly output: unknown };
}
/** What a workflow's runs start with, as handlers see it. */
export type PayloadOf<W extends AnyWorkflow> = W["types"]["payload"];
/** What `trigger` and `execute` are given: what the schema of `manual` takes, or the payload itself. */
export type RunInputOf<W extends AnyWorkflow> = W["types"]["input"];
/** What a workflow's runs return. */
export type RunOutputOf<W extends AnyWorkflow> = W["types"]["output"];
/** What a run gives; of a workflow's id, the compiler does not know. */
export type Outcome<W extends string | AnyWorkflow> = W extends AnyWorkflow ? RunOutputOf<W> : unknown;
