/** Triggers that the engine fires by itself: what may be said of them, and what the core is told. */
import { milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { limitKeys } from "../limit-keys.ts";
import { LIMITS } from "../native/generated.ts";
import type { ScheduleSpecMessage } from "../native/protocol.ts";
import { checkDuration, checkFunction, invalid, shown } from "./check.ts";
import { checkCron } from "./cron.ts";
import type { WorkflowOptions } from "./options.ts";
import {
  type IntervalOptions,
  type IntervalTrigger,
  isTimed,
  type Poll,
  type PollOptions,
  type PollTrigger,
  type ScheduleOptions,
  type ScheduleTrigger,
  type TimedTrigger,
  type Trigger,
} from "./triggers.ts";

const MISFIRES = ["skip", "once", "all"] as const;
const OVERLAPS = ["allow", "skip", "queue"] as const;
const DEFAULT_ZONE = "UTC";

export function scheduleTrigger(workflowId: string, cron: string, options: ScheduleOptions): ScheduleTrigger {
  const pattern = String(cron).trim().replace(/\s+/g, " ");
  const zone = options.timezone ?? DEFAULT_ZONE;
  const where = `Workflow \`${workflowId}\`, schedule \`${pattern}\``;
  checkCron(where, pattern, zone);
  checkIntervalOptions(where, options);
  return { type: "schedule", name: options.name ?? `${pattern} ${zone}`, cron: pattern, options };
}

export function intervalTrigger(
  workflowId: string,
  every: PollOptions["interval"],
  options: IntervalOptions,
): IntervalTrigger {
  const where = `Workflow \`${workflowId}\``;
  const everyMs = checkDuration(where, "onInterval", every, 1);
  checkIntervalOptions(`${where}, interval ${shown(every)}`, options);
  return { type: "interval", name: options.name ?? `every ${everyMs} ms`, everyMs, options };
}

export function pollTrigger(workflowId: string, number: number, poll: Poll, options: PollOptions): PollTrigger {
  const name = options.name ?? `poll-${number}`;
  const where = `Workflow \`${workflowId}\`, poll \`${name}\``;
  checkFunction(where, "what polls", poll);
  const everyMs = checkDuration(where, "interval", options.interval, 1);
  if (options.timeout !== undefined) checkDuration(where, "timeout", options.timeout, 1);
  return { type: "poll", name, everyMs, poll, options };
}

/** What the core finds a schedule by is unique within its workflow. */
export function checkScheduleName(workflowId: string, triggers: readonly Trigger[], { name }: TimedTrigger): void {
  if (name === "" || Buffer.byteLength(name) > LIMITS.NAME_LENGTH) {
    throw invalid(
      `Workflow \`${workflowId}\`: the schedule name ${shown(name)} has not from 1 to ${LIMITS.NAME_LENGTH} bytes: give it a \`name\`.`,
    );
  }
  if (triggers.some((other) => isTimed(other) && other.name === name)) {
    throw invalid(`Workflow \`${workflowId}\` has two schedules named \`${name}\`: give one of them a \`name\`.`);
  }
}

function checkIntervalOptions(where: string, { misfire, overlap, jitter }: IntervalOptions): void {
  checkWord(where, "misfire", misfire, MISFIRES);
  checkWord(where, "overlap", overlap, OVERLAPS);
  if (jitter !== undefined) checkDuration(where, "jitter", jitter);
}

function checkWord(where: string, option: string, value: string | undefined, words: readonly string[]): void {
  if (value !== undefined && !words.includes(value)) {
    throw invalid(`${where}: \`${option}\` is ${shown(value)}; give ${words.map((word) => `"${word}"`).join(" or ")}.`);
  }
}

/** What the core is told of the schedules of a workflow. */
export function scheduleMessages(options: WorkflowOptions, triggers: readonly Trigger[]): ScheduleSpecMessage[] {
  return triggers.filter(isTimed).map((trigger) => {
    if (trigger.type === "poll") return { name: trigger.name, timing: { poll: { every_ms: trigger.everyMs } } };
    const { misfire, overlap, jitter } = trigger.options;
    return {
      name: trigger.name,
      timing:
        trigger.type === "interval"
          ? { interval: { every_ms: trigger.everyMs } }
          : { cron: { pattern: trigger.cron, timezone: trigger.options.timezone ?? DEFAULT_ZONE } },
      ...(misfire !== undefined && { misfire }),
      ...(overlap !== undefined && { overlap }),
      ...(jitter !== undefined && { jitter_ms: milliseconds(jitter) }),
      ...scheduledKeys(options),
    };
  });
}

/** Runs that the engine starts by itself have no payload, and the keys of their limits are those of none. */
function scheduledKeys(options: WorkflowOptions): { concurrency_key?: string; rate_key?: string } {
  try {
    const { concurrency, rate } = limitKeys(options, undefined);
    return {
      ...(concurrency !== undefined && { concurrency_key: JSON.parse(concurrency) }),
      ...(rate !== undefined && { rate_key: JSON.parse(rate) }),
    };
  } catch (error) {
    if (!(error instanceof InvalidError)) throw error;
    throw invalid(`${error.message} The payload of runs that a schedule starts is undefined: give a key for it, too.`);
  }
}
