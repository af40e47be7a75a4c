/** The HTTP interface of one engine: one file per group of routes. */
import { Hono } from "hono";
import { definedPath, pathOf } from "./address.ts";
import { refuse } from "./answers.ts";
import type { HttpEngine } from "./engine.ts";
import { addHealth } from "./health.ts";
import { createManagement } from "./management/routes.ts";
import { webhooksInOrder } from "./order.ts";
import { MANAGEMENT_PREFIX } from "./prefix.ts";
import { Admission } from "./webhook/admission.ts";
import { addWebhook } from "./webhook/route.ts";

export function createRoutes(engine: HttpEngine): Hono {
  const routes = new Hono({ getPath: pathOf });
  const admission = new Admission(engine.http.maxPendingRequests);
  addHealth(routes, engine);
  routes.route(
    MANAGEMENT_PREFIX,
    createManagement({ engine, verbs: engine.verbs, pendingRequests: () => admission.pending }),
  );
  for (const { workflowId, trigger } of webhooksInOrder(engine.definitions.currents())) {
    addWebhook(routes, engine, workflowId, trigger, admission);
  }
  routes.notFound((context) => refuse(context, 404, "not_found", "There is nothing here."));
  routes.onError((error, context) => {
    // What middleware throws to be answered with, such as hono's own 401.
    if ("getResponse" in error) return error.getResponse();
    engine.log().error(`${context.req.method} ${definedPath(context)} failed`, error);
    return refuse(context, 500, "internal_error", "The request failed; the log says why.");
  });
  return routes;
}
