import type { AboutMessage } from "../../native/protocol.ts";
import type { HttpEngine } from "../engine.ts";
import { type Route, route } from "./route.ts";
import { shapeOf } from "./shapes.ts";

/** What the core says of itself. */
export function about(engine: HttpEngine): Promise<AboutMessage & Record<string, unknown>> {
  return engine.session().ask<AboutMessage & Record<string, unknown>>('{"query":{"about":{}}}');
}

export const METRICS_ROUTE: Route = route({
  method: "GET",
  path: "/metrics",
  operationId: "metrics",
  summary: "What the engine is doing.",
  success: { status: 200, description: "The figures of this moment.", schema: shapeOf("Metrics") },
  handle: async ({ engine, pendingRequests }) => {
    const { executing, queued, workflows, paused, version, database, durability } = await about(engine);
    const unattended = await engine.session().unattended();
    const stuck = sumOf(unattended.stuck);
    const figures = {
      executing,
      queued,
      stuck,
      orphaned: sumOf(unattended.orphaned),
      pendingRequests: pendingRequests(),
      uptimeMs: engine.uptimeMs(),
    };
    const { services } = engine.session();
    const called = { services: await services.health(), actions: services.figures() };
    return { ...figures, workflows, paused, version, database, durability, ...called };
  },
});

function sumOf(counts: readonly { readonly runs: number }[]): number {
  return counts.reduce((sum, { runs }) => sum + runs, 0);
}
