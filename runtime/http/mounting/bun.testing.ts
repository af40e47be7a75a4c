import { onTestFinished } from "bun:test";
import { appAt, type Host } from "./host.testing.ts";

const late = { status: 500, isStarted: true, why: "the function that Bun calls is the user's own" } as const;

export const bunHosts: readonly Host[] = [
  {
    name: "Bun.serve({ fetch })",
    prefix: "",
    written: "",
    late,
    open: async (cronflow, { before, after }) => {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        routes: { "/own": { POST: async (request) => Response.json(await request.json()) } },
        fetch: async (request, server) => {
          before();
          const response = await cronflow.fetch(request, server);
          after();
          return response;
        },
        error: () => new Response("failed", { status: 500 }),
      });
      onTestFinished(() => server.stop(true));
      return appAt(server.url);
    },
  },
  {
    name: "Bun.serve({ routes }), with the paths in full",
    prefix: "",
    written: "/x",
    late: undefined,
    open: async (cronflow) => {
      const server = Bun.serve({
        port: 0,
        hostname: "127.0.0.1",
        routes: {
          "/x/*": cronflow.fetch,
          "/cronflow/*": cronflow.fetch,
          "/health": cronflow.fetch,
          "/own": { POST: async (request) => Response.json(await request.json()) },
        },
      });
      onTestFinished(() => server.stop(true));
      return appAt(server.url);
    },
  },
];
