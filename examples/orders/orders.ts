/**
 * Order processing: a webhook, a charge that is retried, a receipt. The demo kills this process in the middle.
 *
 * `bun examples/orders/orders.ts [port]`
 */
import { cronflow } from "cronflow-ffi";
import { z } from "zod";

const STOCK_MS = 300;

export const orders = cronflow
  .define({
    id: "orders",
    hooks: { onFailure: (ctx, step) => step === undefined && ctx.log.error(`order ${ctx.run.id} failed`) },
  })
  .onWebhook("/webhooks/orders", {
    schema: z.object({ orderId: z.string(), amount: z.number().positive() }),
    idempotencyKey: (request) => request.headers.get("x-idempotency-key"),
  })
  .step("reserve", async (ctx) => {
    await Bun.sleep(STOCK_MS);
    return { warehouse: ctx.payload.amount > 100 ? "Lyon" : "Ghent" };
  })
  .step("charge", async (ctx) => {
    await Bun.sleep(STOCK_MS);
    if (ctx.payload.amount > 100 && ctx.attempt === 1) throw new Error("the bank does not answer");
    return { charged: ctx.payload.amount, key: ctx.idempotencyKey };
  })
  .retry({ attempts: 5, backoff: { strategy: "exponential", delay: "200ms" } })
  .step("ship", async (ctx) => {
    await Bun.sleep(STOCK_MS);
    return `order ${ctx.payload.orderId} leaves ${ctx.steps.reserve.output.warehouse}`;
  })
  .action("receipt", (ctx) => ctx.log.info(`receipt: ${ctx.last}, paid ${ctx.steps.charge.output.charged}`));

if (import.meta.main) {
  await cronflow.start({ port: Number(process.argv[2] ?? 3000), database: process.argv[3] ?? "./orders.db" });
  console.log(`listening on ${cronflow.url}`);
}
