import { createServer } from "node:http";
import { type Host, listening } from "./host.testing.ts";

export const nodeHosts: readonly Host[] = [
  {
    name: "node:http, under a prefix",
    prefix: "/flows",
    written: "",
    late: undefined,
    open: (cronflow) => {
      const handler = cronflow.toNodeHandler({ prefix: "/flows" });
      const server = createServer((request, response) =>
        handler(request, response, async () => {
          if (request.url !== "/own") return response.writeHead(404).end();
          return response.end(JSON.stringify(await new Response(request).json()));
        }),
      );
      return listening(server);
    },
  },
];
