/** A request starts a run. It is answered when the run is on disk; what is wrong with it is told. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { z } from "zod";

const directory = mkdtempSync(join(tmpdir(), "cronflow-"));
const engine = createCronflow({ database: join(directory, "example.db") });

engine
  .define({ id: "orders" })
  .onWebhook("/orders/:shop", {
    schema: z.object({ item: z.string(), amount: z.number().positive() }),
    // Who repeats a request gets the run of the first.
    idempotencyKey: (request) => request.headers.get("x-idempotency-key"),
    condition: (order) => order.item !== "test",
  })
  .step("pay", (ctx) => `${ctx.payload.amount} € for a ${ctx.payload.item}, to ${ctx.trigger.params?.["shop"]}`);

await engine.start({ port: 0, auth: "a-token-that-nobody-guesses" });
const first = await order("A-1", { item: "lamp", amount: 20 });
console.log(first.status, await engine.result(first.body.runId));
const again = await order("A-1", { item: "lamp", amount: 20 });
console.log(again.status, again.body.runId === first.body.runId);
console.log((await order("A-1", { item: "lamp", amount: 30 })).body.error?.code);
console.log((await order("A-2", { item: "lamp", amount: -1 })).body.error?.issues);
console.log((await order("A-3", { item: "test", amount: 1 })).body);

await engine.stop();
rmSync(directory, { recursive: true });

async function order(key: string, body: object) {
  const answer = await fetch(new URL("/orders/acme", engine.url), {
    method: "POST",
    headers: { "content-type": "application/json", "x-idempotency-key": key },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Answer };
}

interface Answer {
  readonly runId: string;
  readonly error?: { readonly code: string; readonly issues?: readonly object[] };
}

// Output:
// 202 20 € for a lamp, to acme
// 200 true
// idempotency_conflict
// [
//   {
//     path: "$.amount",
//     message: "Too small: expected number to be >0",
//   }
// ]
// {
//   skipped: true,
// }
