/** Content moderation: a score decides what it can, a person the rest, and nobody's answer is a no. */
import type { Cronflow, Duration } from "cronflow-ffi";
import { z } from "zod";

/** What the workflow needs of the world around it. */
export interface Moderation {
  /** From 0, harmless, to 1. */
  score(text: string): Promise<number>;
  /** Tells a moderator; whoever has the token can answer. */
  ask(postId: string, text: string, token: string): Promise<void>;
  publish(postId: string): Promise<void>;
  /** How long a moderator has. */
  readonly patience: Duration;
}

export function defineModeration(engine: Cronflow, { score, ask, publish, patience }: Moderation) {
  return (
    engine
      .define({ id: "moderation", retention: "90d" })
      .onWebhook("/posts", { schema: z.object({ postId: z.string(), text: z.string() }) })
      .step("score", (ctx) => score(ctx.payload.text))
      .retry({ attempts: 5, backoff: { delay: "1s" } })
      .timeout("30s")
      // When the classifier does not work, a person looks.
      .onError(() => 0.5)
      .if("harmless", (ctx) => ctx.last < 0.2)
      .step("pass", () => ({ isAllowed: true, by: "the score" }))
      .elseIf((ctx) => ctx.last > 0.9)
      .step("refuse", () => ({ isAllowed: false, by: "the score" }))
      .else()
      .humanInTheLoop({
        name: "moderator",
        description: "May this be published?",
        timeout: patience,
        onPause: (ctx, token) => ask(ctx.payload.postId, ctx.payload.text, token),
      })
      .retry({ attempts: 10, backoff: { delay: "1s" } })
      .step("decide", (ctx) => ({
        isAllowed: ctx.last.approved,
        by: ctx.last.timedOut ? "the clock" : String(ctx.last["by"] ?? "a moderator"),
      }))
      .endIf()
      .if("allowed", (ctx) => ctx.last.isAllowed)
      .action("publish", (ctx) => publish(ctx.payload.postId))
      .retry({ attempts: 5 })
      .endIf()
      .step("verdict", (ctx) => `${ctx.last.isAllowed ? "published" : "refused"} by ${ctx.last.by}`)
  );
}
