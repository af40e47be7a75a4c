import type { Hono } from "hono";
import type { HttpEngine } from "./engine.ts";

export const HEALTH_PATH = "/health";

/** 200 while the engine answers, 503 when it is stopped or broken. Needs no auth, and says nothing else. */
export function addHealth(routes: Hono, engine: HttpEngine): void {
  routes.get(HEALTH_PATH, (context) => {
    context.header("Cache-Control", "no-store");
    try {
      if (engine.session().failure === undefined) return context.json({ status: "ok" });
    } catch {
      // Not started, or stopped: that is the answer.
    }
    return context.json({ status: "unavailable" }, 503);
  });
}
