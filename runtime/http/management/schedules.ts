import { type Route, route } from "./route.ts";
import { object, text } from "./schema.ts";
import { shapeOf } from "./shapes.ts";

export const SCHEDULES_ROUTE: Route = route({
  method: "GET",
  path: "/schedules",
  operationId: "listSchedules",
  summary: "What starts runs at a time: when it did, and when it will.",
  query: object({ workflowId: text("Only those of this workflow.") }),
  success: { status: 200, description: "The schedules.", schema: shapeOf("ScheduleList") },
  handle: async ({ verbs }, { query }) => ({ schedules: await verbs.schedules(query) }),
});
