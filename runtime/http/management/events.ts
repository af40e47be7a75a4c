import { type Route, route } from "./route.ts";
import { anything, text } from "./schema.ts";
import { shapeOf } from "./shapes.ts";

export const EVENTS_ROUTE: Route = route({
  method: "POST",
  path: "/events/:name",
  operationId: "publishEvent",
  summary: "Tells an event to the runs that wait for it and the workflows that listen, and answers after the commit.",
  params: { name: text("The event's name.") },
  body: anything("The event's payload; any JSON, or nothing."),
  success: { status: 202, description: "The event is recorded.", schema: shapeOf("Published") },
  handle: ({ verbs }, { param, body }) => verbs.publishEvent(param("name"), body),
});
