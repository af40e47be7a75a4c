/**
 * A payment: checks beside each other, a charge that is not made twice, and an undo when the goods cannot be sent.
 *
 * Bodies of steps may run more than once, when the process dies between what they do and its record. So every call that
 * must not happen twice is given `ctx.idempotencyKey`, which is the same for each attempt of the step.
 */
import type { Cronflow } from "cronflow-ffi";
import { z } from "zod";

/** A provider as they are: what it has done under a key it does not do again. */
export interface Provider {
  /** From 0, trustworthy, to 1. */
  risk(card: string): Promise<number>;
  stock(product: string): Promise<number>;
  charge(amount: number, key: string): Promise<{ chargeId: string }>;
  refund(chargeId: string, key: string): Promise<void>;
  ship(product: string, key: string): Promise<void>;
  receipt(paymentId: string, text: string, key: string): Promise<void>;
}

const patient = { attempts: 8, backoff: { strategy: "exponential", delay: "50ms", maxDelay: "1m" } } as const;

export function definePayments(engine: Cronflow, provider: Provider) {
  return engine
    .define({ id: "payments", retry: patient })
    .onWebhook("/payments", {
      schema: z.object({
        paymentId: z.string(),
        card: z.string(),
        product: z.string(),
        amount: z.number().positive(),
      }),
      idempotencyKey: (request) => request.headers.get("x-idempotency-key"),
    })
    .parallel(
      { risk: (ctx) => provider.risk(ctx.payload.card), stock: (ctx) => provider.stock(ctx.payload.product) },
      { name: "checks" },
    )
    .if("refused", (ctx) => ctx.last.risk > 0.8 || ctx.last.stock === 0)
    .step("why", (ctx) => (ctx.last.stock === 0 ? "sold out" : "the card is not trusted"))
    .else()
    .step("charge", (ctx) => provider.charge(ctx.payload.amount, ctx.idempotencyKey))
    .step("ship", async (ctx) => {
      await provider.ship(ctx.payload.product, ctx.idempotencyKey);
      return { isShipped: true, problem: "" };
    })
    .retry({ ...patient, attempts: 2 })
    .onError((ctx) => ({ isShipped: false, problem: ctx.error.message }))
    .if("undo", (ctx) => !ctx.last.isShipped)
    .action("refund", (ctx) => provider.refund(ctx.steps.charge.output.chargeId, ctx.idempotencyKey))
    .action("count", (ctx) => ctx.state.incr("refunds"))
    .endIf()
    .step("outcome", (ctx) => (ctx.last.isShipped ? "paid and sent" : `refunded: ${ctx.last.problem}`))
    .endIf()
    .action("receipt", (ctx) => provider.receipt(ctx.payload.paymentId, String(ctx.last), ctx.idempotencyKey));
}
