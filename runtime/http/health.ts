import type { Hono } from "hono";
import type { HttpEngine } from "./engine.ts";

/** `GET /health`: 200 while the engine answers, 503 when it is stopped or broken. */
export function addHealth(routes: Hono, engine: HttpEngine): void {
  routes.get("/health", (context) => {
    try {
      if (engine.session().failure === undefined) return context.json({ status: "ok" });
    } catch {
      // Not started, or stopped: that is the answer.
    }
    return context.json({ status: "unavailable" }, 503);
  });
}
