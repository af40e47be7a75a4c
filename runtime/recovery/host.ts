/**
 * The process the kill test kills. It writes down each body it begins, prints its address, and serves a workflow
 * whose outputs say which attempt made them.
 */
import { appendFileSync } from "node:fs";
import { createCronflow } from "cronflow-ffi";

const [database = "", effects = ""] = process.argv.slice(2);
const engine = createCronflow({ database });

function began(name: string, ctx: { run: { id: string }; attempt: number }): string {
  const line = `${ctx.run.id} ${name} ${ctx.attempt}`;
  appendFileSync(effects, `${line}\n`);
  return line;
}

engine
  .define({ id: "orders" })
  .onWebhook("/orders", { idempotencyKey: (request) => request.headers.get("x-key") })
  .step("reserve", (ctx) => began("reserve", ctx))
  .step("charge", async (ctx) => {
    await Bun.sleep(Math.random() * 6);
    return began("charge", ctx);
  })
  .step("flaky", (ctx) => {
    const line = began("flaky", ctx);
    if (Math.random() < 0.3) throw new Error("try again");
    return line;
  })
  .retry({ attempts: 50, backoff: { strategy: "fixed", delay: 5, jitter: 1 } })
  .step("ship", (ctx) => began("ship", ctx))
  .action("notify", (ctx) => began("notify", ctx));

await engine.start({ port: 0, hostname: "127.0.0.1" });
console.log(engine.url?.href);
