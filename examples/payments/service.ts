/**
 * The process that takes payments. The demo kills it.
 *
 * `bun examples/payments/service.ts PROVIDER_URL [PORT] [DATABASE]`
 */
import { cronflow } from "cronflow-ffi";
import { definePayments, type Provider } from "./payments.ts";

const [providerUrl = "http://localhost:4000", port = "3000", database = "./payments.db"] = process.argv.slice(2);

/** Each of the provider's abilities is a path that takes JSON. */
async function ask<T>(path: string, body: object): Promise<T> {
  const response = await fetch(new URL(path, providerUrl), { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as T;
}

const provider: Provider = {
  risk: (card) => ask("/risk", { card }),
  stock: (product) => ask("/stock", { product }),
  charge: (amount, key) => ask("/charge", { amount, key }),
  refund: (chargeId, key) => ask("/refund", { chargeId, key }),
  ship: (product, key) => ask("/ship", { product, key }),
  receipt: (paymentId, text, key) => ask("/receipt", { paymentId, text, key }),
};

definePayments(cronflow, provider);
await cronflow.start({ port: Number(port), database });
console.log(`listening on ${cronflow.url}`);
