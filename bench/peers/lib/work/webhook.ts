/** A webhook as a user of an engine without webhooks writes it: the handler starts the run and answers when it is done. */
import type { Engine } from "../engine.ts";

/** Its port. */
export function serve(engine: Engine): number {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      await request.json();
      await engine.execute(0);
      return Response.json({ isDone: true });
    },
  });
  return Number(server.port);
}
