/** The HTTP interface of one engine: one file per group of routes. */
import { Hono } from "hono";
import type { HttpEngine } from "./engine.ts";
import { addHealth } from "./health.ts";
import { addWebhook } from "./webhook.ts";

export function createRoutes(engine: HttpEngine): Hono {
  const routes = new Hono();
  addHealth(routes, engine);
  for (const definition of engine.definitions.currents()) {
    for (const trigger of definition.triggers) {
      if (trigger.type === "webhook") addWebhook(routes, engine, definition.id, trigger);
    }
  }
  routes.notFound((context) => context.json({ error: { code: "not_found", message: "There is nothing here." } }, 404));
  routes.onError((error, context) => {
    engine.log().error(`${context.req.method} ${context.req.path} failed`, error);
    return context.json({ error: { code: "internal_error", message: "The request failed; the log says why." } }, 500);
  });
  return routes;
}
