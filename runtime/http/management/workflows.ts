/** Workflows: what is defined, start a run, pause. */
import type { Definition, Trigger } from "../../definition.ts";
import { LIMITS } from "../../native/generated.ts";
import type { HttpEngine } from "../engine.ts";
import { about } from "./metrics.ts";
import { type Route, route } from "./route.ts";
import { anything, duration, object, text, whole } from "./schema.ts";
import { shapeOf } from "./shapes.ts";

const WORKFLOW = { id: text("The workflow's id.") };

export const WORKFLOW_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/workflows",
    operationId: "listWorkflows",
    summary: "The workflows of this process.",
    success: { status: 200, description: "The workflows.", schema: shapeOf("WorkflowList") },
    handle: async ({ engine }) => ({ workflows: await workflows(engine) }),
  }),
  route({
    method: "POST",
    path: "/workflows/:id/trigger",
    operationId: "triggerWorkflow",
    summary: "Starts a run, and answers after the commit.",
    params: WORKFLOW,
    body: object({
      payload: anything("What the run is started with."),
      idempotencyKey: text("The same key and payload find the same run; another payload is a conflict.", {
        least: 1,
        most: LIMITS.KEY_BYTES,
      }),
      delay: duration("How long to wait before the run begins: milliseconds, or a text like 90s, 1h30m, PT90S."),
      priority: whole(-LIMITS.PRIORITY, LIMITS.PRIORITY, "Higher first. Default: the workflow's."),
    }),
    success: { status: 202, description: "The run exists.", schema: shapeOf("RunId") },
    refusals: [404, 409],
    handle: async ({ verbs }, { param, body: { payload, ...options } }) => ({
      runId: await verbs.trigger(param("id"), payload, options),
    }),
  }),
  pausing("pause", "Executes nothing of a workflow until it is unpaused.", true),
  pausing("unpause", "Lets a paused workflow go on.", false),
];

function pausing(verb: "pause" | "unpause", summary: string, paused: boolean): Route {
  return route({
    method: "POST",
    path: `/workflows/:id/${verb}`,
    operationId: `${verb}Workflow`,
    summary,
    params: WORKFLOW,
    body: object({}),
    success: { status: 200, description: "It is done.", schema: shapeOf("Paused") },
    refusals: [404],
    handle: async ({ verbs }, { param }) => {
      await verbs[verb](param("id"));
      return { workflowId: param("id"), paused };
    },
  });
}

async function workflows(engine: HttpEngine): Promise<object[]> {
  const { paused } = await about(engine);
  return [...engine.definitions.currents()].map((definition) => workflow(definition, paused.includes(definition.id)));
}

function workflow({ id, options, triggers }: Definition, paused: boolean): object {
  const { name, description, version, tags = [] } = options;
  return { id, name, description, version, tags, triggers: triggers.map(triggerSummary), paused };
}

function triggerSummary(trigger: Trigger): object {
  const { type } = trigger;
  switch (trigger.type) {
    case "webhook":
      return { type, method: trigger.options.method ?? "POST", path: trigger.path };
    case "event":
      return { type, event: trigger.event };
    case "schedule":
      return { type, name: trigger.name, cron: trigger.cron, timezone: trigger.options.timezone };
    case "interval":
    case "poll":
      return { type, name: trigger.name, everyMs: trigger.everyMs };
    case "service":
      return { type, service: trigger.service.key, name: trigger.name };
    case "manual":
      return { type };
  }
}
