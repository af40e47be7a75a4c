/** A nightly job: an interest for each of many accounts, some at a time, and a report. */
import type { Cronflow } from "cronflow-ffi";
import { z } from "zod";

export interface Account {
  readonly id: number;
  readonly cents: number;
}

/** What the workflow needs of the world around it. */
export interface Bank {
  accounts(day: string): Promise<Account[]>;
  /** Books once per key. */
  book(accountId: number, cents: number, key: string): Promise<void>;
}

export function defineNightly(engine: Cronflow, bank: Bank) {
  return engine
    .define({ id: "nightly", concurrency: 1, timeout: "6h" })
    .manual({ schema: z.object({ day: z.iso.date() }) })
    .step("accounts", (ctx) => bank.accounts(ctx.payload.day))
    .forEach(
      "each",
      (ctx) => ctx.last,
      (account, flow) =>
        flow
          .step("interest", async (ctx) => {
            const cents = Math.floor(account.cents / 1_000);
            await bank.book(account.id, cents, ctx.idempotencyKey);
            return cents;
          })
          .retry({ attempts: 5, backoff: { delay: "1s" } }),
      { concurrency: 100 },
    )
    .step("report", (ctx) => ({
      day: ctx.payload.day,
      accounts: ctx.last.length,
      cents: ctx.last.reduce((sum, cents) => sum + cents, 0),
    }));
}
