/** Runs: look at them, and take a hand in them. */
import { type Route, route } from "./route.ts";
import { anything, instant, object, oneOf, openObject, runId, text, whole } from "./schema.ts";
import { RUN_STATUSES, shapeOf } from "./shapes.ts";

const RUN = { id: runId("The run's id.") };

export const RUN_ROUTES: readonly Route[] = [
  route({
    method: "GET",
    path: "/runs",
    operationId: "listRuns",
    summary: "Runs, newest first.",
    query: object({
      workflowId: text("Only runs of this workflow."),
      status: oneOf(RUN_STATUSES, "Only runs of this status."),
      since: instant("Only runs created at or after this time: ISO-8601, or milliseconds since 1970."),
      limit: whole(1, 1_000, "How many at most. Default 100."),
      cursor: text("Where the page before ended."),
    }),
    success: { status: 200, description: "A page of runs.", schema: shapeOf("RunList") },
    handle: ({ verbs }, { query }) => verbs.list(query),
  }),
  route({
    method: "GET",
    path: "/runs/:id",
    operationId: "inspectRun",
    summary: "Everything that is recorded of a run.",
    params: RUN,
    success: { status: 200, description: "The run.", schema: shapeOf("Run") },
    refusals: [404],
    handle: ({ verbs }, { param }) => verbs.inspect(param("id")),
  }),
  route({
    method: "POST",
    path: "/runs/:id/cancel",
    operationId: "cancelRun",
    summary: "Ends a run as cancelled.",
    params: RUN,
    body: object({ reason: text("Why.") }),
    success: { status: 200, description: "It is cancelled.", schema: shapeOf("RunId") },
    refusals: [404, 409],
    handle: async ({ verbs }, { param, body }) => {
      await verbs.cancelRun(param("id"), body.reason);
      return { runId: param("id") };
    },
  }),
  route({
    method: "POST",
    path: "/runs/:id/retry",
    operationId: "retryRun",
    summary: "Takes up again a run that has failed, was cancelled or is stuck, from the step that failed.",
    params: RUN,
    body: object({}),
    success: { status: 200, description: "It goes on.", schema: shapeOf("RunId") },
    refusals: [404, 409],
    handle: async ({ verbs }, { param }) => {
      await verbs.retryRun(param("id"));
      return { runId: param("id") };
    },
  }),
  route({
    method: "POST",
    path: "/runs/:id/replay",
    operationId: "replayRun",
    summary: "Starts a new run from the recorded results of another.",
    params: RUN,
    body: object({
      fromStep: text("The first step to execute again. Default: the first of all."),
      overridePayload: anything("The new run's payload instead of the old one's."),
      mockStep: openObject("Outputs of steps that are not to be executed, by name."),
    }),
    success: { status: 202, description: "The new run exists.", schema: shapeOf("RunId") },
    refusals: [404, 409],
    handle: async ({ verbs }, { param, body }) => ({ runId: await verbs.replay(param("id"), body) }),
  }),
];
