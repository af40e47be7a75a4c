import { onTestFinished } from "bun:test";
import type { Cronflow } from "cronflow-ffi";
import { Hono } from "hono";
import { appAt, type Host, type Middleware } from "./host.testing.ts";

const late = { status: 500, isStarted: true, why: "Hono answers anew" } as const;

function appOf(cronflow: Cronflow, { before, after }: Middleware): Hono {
  const app = new Hono();
  app.onError((_error, context) => context.text("failed", 500));
  app.use(async (_context, next) => {
    before();
    await next();
    after();
  });

  app.route("/flows", cronflow.routes());

  app.post("/own", async (context) => context.json(await context.req.json()));
  return app;
}

export const honoHosts: readonly Host[] = [
  {
    name: "Hono in Bun.serve, under a prefix",
    prefix: "/flows",
    written: "",
    late,
    open: async (cronflow, middleware) => {
      const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: appOf(cronflow, middleware).fetch });
      onTestFinished(() => server.stop(true));
      return appAt(server.url);
    },
  },
];
