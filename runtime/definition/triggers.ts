/** What starts the runs of a workflow. */
import type { Schema } from "../schema.ts";
import type { ConfiguredService } from "../services/define.ts";
import type { EventOptions } from "./event-options.ts";
import type { IntervalOptions, Poll, PollOptions, ScheduleOptions } from "./schedule-options.ts";
import type { WebhookOptions } from "./webhook-options.ts";

export type { EventOptions } from "./event-options.ts";
export type {
  IntervalOptions,
  Misfire,
  Overlap,
  Poll,
  PollContext,
  PollItem,
  PollOptions,
  ScheduleOptions,
} from "./schedule-options.ts";
export type { WebhookOptions } from "./webhook-options.ts";

export interface WebhookTrigger {
  readonly type: "webhook";
  readonly path: string;
  readonly options: WebhookOptions;
}

export interface ManualTrigger {
  readonly type: "manual";
  readonly schema?: Schema;
}

export interface ScheduleTrigger {
  readonly type: "schedule";
  readonly name: string;
  readonly cron: string;
  readonly options: ScheduleOptions;
}

export interface IntervalTrigger {
  readonly type: "interval";
  readonly name: string;
  readonly everyMs: number;
  readonly options: IntervalOptions;
}

export interface PollTrigger {
  readonly type: "poll";
  readonly name: string;
  readonly everyMs: number;
  readonly poll: Poll;
  readonly options: PollOptions;
}

export interface EventTrigger {
  readonly type: "event";
  readonly event: string;
  readonly options: EventOptions;
}

export interface ServiceTrigger {
  readonly type: "service";
  readonly service: ConfiguredService;
  /** Which of the service's triggers. */
  readonly name: string;
  readonly options: unknown;
}

/** Triggers that the engine fires by itself. */
export type TimedTrigger = ScheduleTrigger | IntervalTrigger | PollTrigger;

export type Trigger = WebhookTrigger | ManualTrigger | EventTrigger | TimedTrigger | ServiceTrigger;

export function isTimed(trigger: Trigger): trigger is TimedTrigger {
  return trigger.type === "schedule" || trigger.type === "interval" || trigger.type === "poll";
}
