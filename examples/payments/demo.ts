/** Posts payments, kills the service right after the provider has charged, starts it again, and counts the money. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { FakeProvider } from "./provider.ts";

const directory = mkdtempSync(join(tmpdir(), "cronflow-payments-"));
const database = join(directory, "payments.db");
const provider = new FakeProvider();

console.log("1. A payment; the service is killed (kill -9) when the provider has charged and not yet answered");
const first = await start();
const accepted = Promise.withResolvers<number>();
provider.onCharged = async () => {
  await accepted.promise;
  first.process.kill("SIGKILL");
  await first.process.exited;
};
accepted.resolve(await post(first.url, { paymentId: "P-1", card: "4242", product: "lamp", amount: 20 }));
await first.process.exited;
console.log(`   accepted: ${await accepted.promise}`);
console.log(`   charged so far: ${provider.balance.charged} €`);

console.log("2. The service is started again");
provider.onCharged = () => {};
const second = await start();
console.log(`   P-1: ${await provider.receipt("P-1")}`);
console.log(`   asked to charge ${provider.chargeRequests} times, charged ${provider.balance.charged} € once`);

console.log("3. Others: one that cannot be sent, a stolen card, and a product that is sold out");
for (const [paymentId, card, product] of [
  ["P-2", "4242", "piano"],
  ["P-3", "stolen", "lamp"],
  ["P-4", "4242", "unicorn"],
] as const) {
  await post(second.url, { paymentId, card, product, amount: 900 });
  console.log(`   ${paymentId}: ${await provider.receipt(paymentId)}`);
}
// The same key is the same payment, however often it is posted.
console.log(`   P-1 again: ${await post(second.url, { paymentId: "P-1", card: "4242", product: "lamp", amount: 20 })}`);
second.process.kill("SIGTERM");
await second.process.exited;
console.log(`   charged ${provider.balance.charged} €, refunds: ${provider.balance.refunded}`);

console.log("4. What is recorded of P-1");
const engine = createCronflow({ database });
await engine.start();
const { runs } = await engine.list();
const { attempts } = await engine.inspect(runs.at(-1)?.runId as string);
for (const { step, status } of attempts.filter(({ step }) => !step.startsWith("checks")))
  console.log(`   ${step} ${status}`);
console.log(`   ${runs.length} runs`);
await engine.stop();
await provider.stop();
rmSync(directory, { recursive: true });

async function start() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "service.ts"), provider.url, "0", database], {
    stdout: "pipe",
    stderr: "inherit",
  });
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const url = /listening on (\S+)/.exec(text)?.[1];
    if (url !== undefined) return { process: child, url };
  }
  throw new Error("the service ended before it listened");
}

/** Gives the answer's status. */
async function post(url: string, payment: { paymentId: string; card: string; product: string; amount: number }) {
  const response = await fetch(new URL("/payments", url), {
    method: "POST",
    headers: { "content-type": "application/json", "x-idempotency-key": payment.paymentId },
    body: JSON.stringify(payment),
  });
  return response.status;
}

// Output:
// 1. A payment; the service is killed (kill -9) when the provider has charged and not yet answered
//    accepted: 202
//    charged so far: 20 €
// 2. The service is started again
//    P-1: paid and sent
//    asked to charge 2 times, charged 20 € once
// 3. Others: one that cannot be sent, a stolen card, and a product that is sold out
//    P-2: refunded: the piano does not fit through the door
//    P-3: the card is not trusted
//    P-4: sold out
//    P-1 again: 200
//    charged 920 €, refunds: 1
// 4. What is recorded of P-1
//    refused completed
//    charge interrupted
//    charge completed
//    ship completed
//    undo completed
//    outcome completed
//    receipt completed
//    4 runs
