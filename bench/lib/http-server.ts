/** The servers that are compared. `bun http-server.ts <kind> <database>` prints its port. */
import { createCronflow, type Logger } from "cronflow-ffi";
import { Hono } from "hono";
import { z } from "zod";

const [kind, database = ""] = process.argv.slice(2);
const hostname = "127.0.0.1";

async function serve(): Promise<number> {
  switch (kind) {
    case "bun":
      return Bun.serve({
        port: 0,
        hostname,
        fetch: async (request) => Response.json(await request.json(), { status: 202 }),
      }).port as number;
    case "hono": {
      const app = new Hono().post("/hook", async (context) => context.json(await context.req.json(), 202));
      return Bun.serve({ port: 0, hostname, fetch: app.fetch }).port as number;
    }
    case "cronflow": {
      const log: Logger = { ...console, info() {} };
      const engine = createCronflow({ database, log });
      const schema = z.object({ orderId: z.string(), amount: z.number().positive() });
      engine
        .define({ id: "hook" })
        .onWebhook("/hook", { schema })
        .step("no-op", () => {});
      await engine.start({ port: 0, hostname });
      return Number(engine.url?.port);
    }
    default:
      throw new Error(`no server is named ${kind}`);
  }
}

console.log(await serve());
