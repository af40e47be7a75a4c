/** What the management routes answer, as JSON Schema: the public records, with times in ISO-8601. */
import type { JsonSchema } from "./schema.ts";

const RUN_STATUSES = ["pending", "running", "waiting", "completed", "failed", "cancelled", "stuck"] as const;
const STEP_STATUSES = ["completed", "failed", "timed_out", "interrupted", "cancelled"] as const;
const APPROVAL_STATUSES = ["open", "approved", "rejected", "expired", "cancelled"] as const;

export { RUN_STATUSES };

const string = (description?: string): JsonSchema => ({
  type: "string",
  ...(description !== undefined && { description }),
});
const integer = (description?: string): JsonSchema => ({
  type: "integer",
  ...(description !== undefined && { description }),
});
const boolean: JsonSchema = { type: "boolean" };
const json = (description: string): JsonSchema => ({ description });
const time = (description?: string): JsonSchema => ({ ...string(description), format: "date-time" });
const word = (words: readonly string[], description?: string): JsonSchema => ({ ...string(description), enum: words });
const list = (items: JsonSchema, description?: string): JsonSchema => ({
  type: "array",
  items,
  ...(description !== undefined && { description }),
});
const strings = list(string());

/** An object; a name that ends in `?` may be absent. */
function shape(fields: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const entries = Object.entries(fields);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace("?", ""), schema])),
    required: entries.flatMap(([name]) => (name.endsWith("?") ? [] : [name])),
  };
}

const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

const summary = {
  runId: string(),
  workflowId: string(),
  status: word(RUN_STATUSES),
  "error?": ref("RecordedError"),
  createdAt: time(),
  "startAt?": time("It does not begin before this time."),
  "finishedAt?": time(),
  "parentRunId?": string("The run that waits for this one."),
  "replayOf?": string("The run whose recorded results this one uses."),
};

/** The named shapes of the document. */
export const SHAPES = {
  Error: shape({
    error: shape({
      code: string("Stable."),
      message: string("For people."),
      "issues?": list(shape({ path: string(), message: string() }), "What is wrong with the input, place by place."),
    }),
  }),
  RecordedError: shape({ name: string(), message: string(), "code?": string(), "stack?": string() }),
  RunSummary: shape(summary),
  Attempt: shape({
    sequence: integer("Its position in the run's history, from 1."),
    step: string(),
    scope: string("The iterations of the loops around it, outermost first; empty outside loops."),
    handler: string("Which of the step's functions was called."),
    attempt: integer("From 1."),
    status: word(STEP_STATUSES),
    "output?": json("What it gave."),
    "error?": ref("RecordedError"),
    "retryAt?": time("When the next attempt is due."),
    "startedAt?": time(),
    finishedAt: time(),
  }),
  Run: shape({
    ...summary,
    "payload?": json("What it was started with."),
    trigger: { type: "object", description: "What started it.", additionalProperties: true },
    "output?": json("What it gave."),
    attempts: list(ref("Attempt"), "Every ended attempt, in order."),
  }),
  RunList: shape({
    runs: list(ref("RunSummary")),
    "cursor?": string("Where the next page begins; absent on the last."),
  }),
  RunId: shape({ runId: string() }),
  Workflow: shape({
    id: string(),
    "name?": string(),
    "description?": string(),
    "version?": string(),
    tags: strings,
    triggers: list(ref("Trigger")),
    paused: boolean,
  }),
  Trigger: shape({
    type: word(["webhook", "manual", "event", "schedule", "interval", "poll", "service"]),
    "method?": string("Of a webhook."),
    "path?": string("Of a webhook."),
    "event?": string("Of an event: its name."),
    "name?": string("Of a schedule, an interval, a poll or a service's trigger."),
    "service?": string("Of a service's trigger: the service's name."),
    "cron?": string("Of a schedule."),
    "timezone?": string("Of a schedule."),
    "everyMs?": integer("Of an interval or a poll."),
  }),
  WorkflowList: shape({ workflows: list(ref("Workflow")) }),
  Paused: shape({ workflowId: string(), paused: boolean }),
  Approval: shape({
    runId: string(),
    workflowId: string(),
    step: string(),
    scope: string("The iterations of the loops around the step."),
    status: word(APPROVAL_STATUSES),
    "description?": string("What is to be approved."),
    "metadata?": json("What else is to be shown."),
    pausedAt: time(),
    "expiresAt?": time("When it is too late."),
  }),
  ApprovalList: shape({ approvals: list(ref("Approval")) }),
  Answered: shape({ approved: boolean }),
  Schedule: shape({
    workflowId: string(),
    name: string(),
    kind: word(["cron", "interval", "poll"]),
    "cron?": string(),
    "timezone?": string(),
    "everyMs?": integer(),
    "misfire?": word(["skip", "once", "all"]),
    "overlap?": word(["allow", "skip", "queue"]),
    "jitterMs?": integer(),
    paused: boolean,
    next: list(time(), "The next times, up to five."),
    "last?": time(),
    "lastRunId?": string(),
    queued: integer("Instants that wait for the run before them."),
    "failures?": integer(),
    "lastError?": ref("RecordedError"),
  }),
  ScheduleList: shape({ schedules: list(ref("Schedule")) }),
  Published: shape({
    runIds: list(string(), "The runs that the event started."),
    refused: list(shape({ workflowId: string(), message: string() }), "The workflows that listen and did not take it."),
  }),
  Metrics: shape({
    executing: integer("Runs whose handlers execute."),
    queued: integer("Runs that wait for a free slot."),
    stuck: integer("Runs that do not fit what is defined, or are damaged."),
    orphaned: integer("Open runs of workflows that are not defined in this process."),
    pendingRequests: integer("Webhook requests that wait for their answer."),
    uptimeMs: integer("Since the engine was started."),
    workflows: strings,
    paused: strings,
    version: string(),
    database: string(),
    durability: string(),
    services: list(ref("ServiceHealth"), "Each service, asked now."),
    actions: list(ref("ActionFigures"), "The actions of services that were called since the engine was started."),
  }),
  ServiceHealth: shape({
    service: string(),
    "version?": string(),
    healthy: boolean,
    "message?": string("Why it is not."),
  }),
  ActionFigures: shape({
    service: string(),
    action: string(),
    calls: integer(),
    failures: integer("Calls that have failed."),
    totalMs: integer("The time of all calls."),
  }),
  Document: { type: "object", description: "This document.", additionalProperties: true },
} satisfies Record<string, JsonSchema>;

/** A named shape, as the document refers to it. */
export function shapeOf(name: keyof typeof SHAPES): JsonSchema {
  return ref(name);
}
