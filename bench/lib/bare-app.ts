import { Hono } from "hono";

const app = new Hono().post("/hook", async (context) => context.json(await context.req.json(), 202));
Bun.serve({ port: Number(process.argv[2]), hostname: "127.0.0.1", fetch: app.fetch });
