import { createServer } from "node:http";
import Koa from "koa";
import { type Host, listening } from "./host.testing.ts";

function host(name: string, prefix: Host["prefix"]): Host {
  return {
    name,
    prefix,
    written: "",
    late: { status: 202, isStarted: true, why: "Koa's `await next()` comes back when the answer is sent" },
    open: (cronflow, { before, after }) => {
      const app = new Koa();
      app.silent = true;
      app.use(async (_context, next) => {
        before();
        await next();
        after();
      });

      const handler = cronflow.toNodeHandler(prefix === "" ? {} : { prefix });
      app.use((context, next) => {
        context.respond = false;
        return handler(context.req, context.res, () => {
          context.respond = true;
          return next();
        });
      });

      app.use(async (context, next) => {
        if (context.method !== "POST" || context.path !== "/own") return next();
        const body = await new Response(context.req).json();
        context.body = body as object;
      });
      return listening(createServer(app.callback()));
    },
  };
}

export const koaHosts: readonly Host[] = [host("Koa, at the root", ""), host("Koa, under a prefix", "/flows")];
