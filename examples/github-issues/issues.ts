/**
 * GitHub tells of issues by signed webhooks; each becomes an event, to which workflows of their own listen. One of them
 * greets who has opened an issue, one asks a maintainer before a label is set.
 *
 * A step that publishes an event may do so twice, when its process dies before that is recorded. So what listeners do
 * bears that: a comment has a key, a label that is there stays, and a second mail asks the same.
 */
import { type Cronflow, type Secret, verify } from "cronflow-ffi";
import { z } from "zod";

/** What the workflows need of the world around them. */
export interface Forge {
  readonly webhookSecret: Secret;
  /** Sets a label; one that is there stays. */
  label(issue: number, label: string): Promise<void>;
  /** Writes a comment, once per key. GitHub knows no keys: hide it in the text, and look for it first. */
  comment(issue: number, text: string, key: string): Promise<void>;
  /** Sends a maintainer the address at which a question is answered. */
  mail(subject: string, link: string): Promise<void>;
}

/** What we read of what GitHub sends. */
const delivered = z.object({
  action: z.string(),
  issue: z.object({ number: z.number(), title: z.string(), user: z.object({ login: z.string() }) }),
});

/** The event, in words of our own. */
const opened = z.object({ issue: z.number(), title: z.string(), author: z.string() });

/** @param publicUrl Where people reach this service. */
export function defineIssues(engine: Cronflow, forge: Forge, publicUrl: () => URL) {
  engine
    .define({ id: "github" })
    .onWebhook("/webhooks/github", {
      // The same body is the same message: GitHub's button "Redeliver" starts nothing.
      verify: verify.github({ secret: forge.webhookSecret }),
      schema: delivered,
      condition: ({ action }, request) => request.headers.get("x-github-event") === "issues" && action === "opened",
    })
    .action("publish", async ({ payload: { issue } }) => {
      await engine.publishEvent("issue.opened", { issue: issue.number, title: issue.title, author: issue.user.login });
    })
    .retry({ attempts: 5 });

  engine
    .define({ id: "greet" })
    .onEvent("issue.opened", { schema: opened })
    .action("comment", async ({ payload: { issue, author } }) => {
      await forge.comment(issue, `Thank you, ${author}!`, `greeting-${issue}`);
    })
    .retry({ attempts: 5, backoff: { delay: "1s" } });

  engine
    .define({ id: "triage" })
    .onEvent("issue.opened", { schema: opened, filter: ({ title }) => /crash|lost/i.test(title) })
    .humanInTheLoop({
      name: "ask",
      description: "Is this urgent?",
      timeout: "2d",
      onPause: async ({ payload: { issue, title } }, token) => {
        await forge.mail(`#${issue} ${title}`, new URL(`/cronflow/approvals/${token}`, publicUrl()).href);
      },
    })
    .retry({ attempts: 10, backoff: { delay: "1s" } })
    .step("label", async ({ payload, last }) => {
      const label = last.approved ? "urgent" : last.timedOut ? "unanswered" : "later";
      await forge.label(payload.issue, label);
      return { issue: payload.issue, label, note: last["comment"] };
    })
    .retry({ attempts: 5, backoff: { delay: "1s" } });
}
