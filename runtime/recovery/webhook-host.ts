/** The process the webhook test kills: a webhook, and a schedule that ticks beside it. Prints its address. */
import { createCronflow } from "cronflow-ffi";
import { TICK_MS } from "./ticks.ts";

const [database = ""] = process.argv.slice(2);
const engine = createCronflow({ database, log: { ...console, info() {} } });

engine
  .define({ id: "orders" })
  .onWebhook("/orders", { idempotencyKey: (request) => request.headers.get("x-key") })
  .step("book", () => 1);

engine
  .define({ id: "ticks" })
  .onInterval(TICK_MS, { misfire: "all", name: "tick" })
  .step("tick", () => 1);

await engine.start({ port: 0, hostname: "127.0.0.1" });
console.log(engine.url?.href);
