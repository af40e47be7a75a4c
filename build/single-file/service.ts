/**
 * A service as one would deploy it: `service [database] [port]`. It prints its address, and each order that is done.
 */
import { cronflow } from "cronflow-ffi";
import { z } from "zod";

const [database = process.env["DATABASE"] ?? "./orders.db", port = "0"] = process.argv.slice(2);

cronflow
  .define({
    id: "orders",
    hooks: { onSuccess: (ctx, step) => step === undefined && console.log(`done ${ctx.run.id}`) },
  })
  .onWebhook("/orders", {
    schema: z.object({ parcels: z.array(z.string()).min(1), cooling: z.string().default("1ms") }),
    idempotencyKey: (request) => request.headers.get("x-key"),
  })
  .step("charge", (ctx) => {
    if (ctx.attempt === 1) throw new Error("the bank does not answer");
    return { parcels: ctx.payload.parcels.length };
  })
  .retry({ attempts: 3, backoff: { strategy: "fixed", delay: 5 } })
  .sleep((ctx) => ctx.payload.cooling)
  .forEach(
    "parcels",
    (ctx) => ctx.payload.parcels,
    (parcel, flow) => flow.step("pack", () => parcel),
  )
  .step("ship", (ctx) => ({ shipped: ctx.last }));

await cronflow.start({ port: Number(port), hostname: "127.0.0.1", database });
console.log(cronflow.url?.href);
