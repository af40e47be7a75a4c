import { onTestFinished } from "bun:test";
import Fastify from "fastify";
import { appAt, type Host } from "./host.testing.ts";

function host(name: string, prefix: Host["prefix"]): Host {
  return {
    name,
    prefix,
    written: "",
    late: {
      status: 202,
      isStarted: true,
      why: "the hook of Fastify that comes after is `onResponse`, when the answer is sent",
    },
    open: async (cronflow, { before, after }) => {
      const app = Fastify();
      app.addHook("onRequest", async () => before());
      app.addHook("onResponse", async () => after());

      const handler = cronflow.toNodeHandler(prefix === "" ? {} : { prefix });
      app.addHook("onRequest", (request, reply, next) => {
        handler(request.raw, reply.raw, next);
      });

      app.post("/own", (request) => request.body);
      onTestFinished(() => app.close());
      return appAt(await app.listen({ port: 0, host: "127.0.0.1" }));
    },
  };
}

export const fastifyHosts: readonly Host[] = [
  host("Fastify, at the root", ""),
  host("Fastify, under a prefix", "/flows"),
];
