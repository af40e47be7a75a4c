/** Verifiers of signatures: `onWebhook(path, { verify: verify.github({ secret }) })`. */
import { github } from "./github.ts";
import { hmac } from "./hmac.ts";
import { slack } from "./slack.ts";
import { standardWebhooks } from "./standard-webhooks.ts";
import { stripe } from "./stripe.ts";

export type { Repeats } from "./github.ts";
export type { HmacScheme, SignedParts } from "./hmac.ts";
export type { Secret, Secrets } from "./secrets.ts";
export type { Tolerance } from "./timestamp.ts";
export type { DirectVerifier, Refused, SignedRequest, Verified, Verifier } from "./verifier.ts";
export { github, hmac, slack, standardWebhooks, stripe };

/** Verifiers of signatures, by sender. */
export const verify = {
  /** Of senders that follow Standard Webhooks. */
  standardWebhooks,
  /** Of GitHub. */
  github,
  /** Of Stripe. */
  stripe,
  /** Of Slack. */
  slack,
  /** Of whoever else signs by HMAC. */
  hmac,
} as const;
