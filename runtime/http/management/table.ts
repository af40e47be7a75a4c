/** All management routes. */
import { APPROVAL_ROUTES } from "./approvals.ts";
import { EVENTS_ROUTE } from "./events.ts";
import { METRICS_ROUTE } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { type Route, route } from "./route.ts";
import { RUN_ROUTES } from "./runs.ts";
import { SCHEDULES_ROUTE } from "./schedules.ts";
import { shapeOf } from "./shapes.ts";
import { WORKFLOW_ROUTES } from "./workflows.ts";

export const ROUTES: readonly Route[] = [
  ...RUN_ROUTES,
  ...WORKFLOW_ROUTES,
  ...APPROVAL_ROUTES,
  SCHEDULES_ROUTE,
  EVENTS_ROUTE,
  METRICS_ROUTE,
  route({
    method: "GET",
    path: "/openapi.json",
    operationId: "openApi",
    summary: "This interface, in OpenAPI 3.1.",
    success: { status: 200, description: "The document.", schema: shapeOf("Document") },
    handle: () => openApi(ROUTES),
  }),
];
