/**
 * The process the kill test kills. It writes down each body it begins, prints its address, and serves a workflow
 * whose outputs say which attempt made them.
 */
import { appendFileSync } from "node:fs";
import { createCronflow } from "cronflow-ffi";

const [database = "", effects = ""] = process.argv.slice(2);
const engine = createCronflow({ database, log: { ...console, info() {} } });

function began(ctx: { idempotencyKey: string; attempt: number }): string {
  const line = `${ctx.idempotencyKey} ${ctx.attempt}`;
  // A kill may tear a write where it goes over a page of memory: what is torn must not swallow the next line.
  appendFileSync(effects, `\n${line}\n`);
  return line;
}

engine.define({ id: "invoice" }).step("print", began);

engine
  .define({ id: "orders" })
  .onWebhook("/orders", { idempotencyKey: (request) => request.headers.get("x-key") })
  .step("reserve", began)
  .parallel({
    charge: (flow) =>
      flow.step("charge", async (ctx) => {
        await Bun.sleep(Math.random() * 6);
        return began(ctx);
      }),
    check: (flow) =>
      flow
        .step("flaky", (ctx) => {
          const line = began(ctx);
          if (Math.random() < 0.3) throw new Error("try again");
          return line;
        })
        .retry({ attempts: 50, backoff: { strategy: "fixed", delay: 5, jitter: 1 } }),
  })
  .forEach(
    "parcels",
    () => [1, 2, 3],
    (_item, flow) => flow.step("pack", began),
    { concurrency: 2 },
  )
  .sleep(3)
  .subflow("invoice", "invoice")
  .step("ship", (ctx) => {
    ctx.state.incr("shipped");
    return began(ctx);
  })
  .action("notify", began);

await engine.start({ port: 0, hostname: "127.0.0.1" });
console.log(engine.url?.href);
