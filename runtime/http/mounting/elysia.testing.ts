import { onTestFinished } from "bun:test";
import { Elysia } from "elysia";
import { appAt, type Host } from "./host.testing.ts";

export const elysiaHosts: readonly Host[] = [
  {
    name: "Elysia, under a prefix",
    prefix: "/flows",
    written: "",
    late: { status: 500, isStarted: true, why: "Elysia answers anew when `onAfterHandle` throws" },
    open: async (cronflow, { before, after }) => {
      const app = new Elysia()
        .onError(({ code }) => (code === "NOT_FOUND" ? undefined : new Response("failed", { status: 500 })))
        .onRequest(() => before())
        .onAfterHandle(() => after())
        .mount("/flows", cronflow.fetch)
        .post("/own", ({ body }) => body as object)
        .listen({ port: 0, hostname: "127.0.0.1" });
      onTestFinished(() => app.stop(true));
      return appAt(app.server?.url as URL);
    },
  },
];
