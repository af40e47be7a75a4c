/** What decides whether a message comes from whom it says. */
import type { Duration } from "../../duration.ts";

/** The message is what its sender has signed. */
export interface Verified {
  /** Tells it from a refusal. */
  readonly ok: true;
  /**
   * Names the message. It must be covered by the signature: a message that is delivered again finds the first run, one
   * with the same name and another body is answered 409. Default: each delivery starts a run.
   */
  readonly deliveryId?: string;
  /** How long the name is remembered. Default: for ever. */
  readonly ttl?: Duration;
}

/** The message may be of anybody: it is answered 401, and starts nothing. */
export interface Refused {
  /** Tells it from a message that was verified. */
  readonly ok: false;
  /** For the log; the sender does not hear it. It must not tell secrets. */
  readonly reason: string;
}

/** What a verifier sees of a request besides its body. A `Request` is one. */
export interface SignedRequest {
  /** Like `"POST"`. */
  readonly method: string;
  /** The whole address, as this process was asked for it: behind a proxy it may not be the one that the sender knows. */
  readonly url: string;
  /** All headers of the request. */
  readonly headers: Headers;
}

/**
 * Decides over the raw bytes of the body, before they are parsed. What it throws is answered 500: nothing is let
 * through because a secret could not be read.
 */
export type Verifier = (
  raw: Uint8Array,
  request: SignedRequest,
  nowMs: number,
) => Verified | Refused | boolean | Promise<Verified | Refused | boolean>;

/**
 * A verifier that decides at once, as all of ours do: it is what `verify.github(…)` and the others give, and a `Verifier`
 * wherever one is asked for. Exported, so that declarations can name it; nobody needs to write it.
 */
export type DirectVerifier = (raw: Uint8Array, request: SignedRequest, nowMs: number) => Verified | Refused;

/** A message whose time is checked cannot be replayed later, so its name need not be kept for ever. */
export const REMEMBERED: Duration = "30d";

export function refused(reason: string): Refused {
  return { ok: false, reason };
}
