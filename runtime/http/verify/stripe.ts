/** Signatures of Stripe's webhooks. */
import { bodyId } from "./body-id.ts";
import { keysOf, type Secrets } from "./secrets.ts";
import { CODE_BYTES, contentId, decodeCode, isSigned } from "./signature.ts";
import { isRecent, type Tolerance, toleranceMs } from "./timestamp.ts";
import { type DirectVerifier, REMEMBERED, refused } from "./verifier.ts";

const NAME = "verify.stripe";
const PART = /^([a-z0-9]+)=([^\s=,]+)$/;

/**
 * Checks `stripe-signature`: HMAC-SHA256 (`v1`) over time and body. The message is named by the `id` of the event in its
 * body; a second delivery finds the first run for 30 days.
 *
 * @param options `secret` (`whsec_…` as Stripe shows it), or `secrets` while they are rotated. `tolerance`: how old a
 *   message may be, or how far in the future, default 5 min.
 */
export function stripe(options: Secrets & Tolerance): DirectVerifier {
  const keys = keysOf(NAME, options);
  const tolerance = toleranceMs(NAME, options);
  return (raw, { headers }, nowMs) => {
    const header = headers.get("stripe-signature");
    if (header === null) return refused("the header is missing");
    const signature = signatureOf(header);
    if (signature === undefined) return refused("the signature is not of its form");
    if (!isRecent(signature.time, nowMs, tolerance)) return refused("the time is not near");
    const content = [`${signature.time}.`, raw];
    if (!isSigned("sha256", keys, content, signature.codes)) return refused("the signature does not match");
    return { ok: true, deliveryId: bodyId(raw, "id") ?? contentId(content), ttl: REMEMBERED };
  };
}

/** `t=…,v1=…,v1=…,v0=…`: one time, and codes, of which those of other versions are for others. */
function signatureOf(header: string): { time: string; codes: Uint8Array[] } | undefined {
  const codes: Uint8Array[] = [];
  let time: string | undefined;
  for (const part of header.split(",")) {
    const [, name, value] = PART.exec(part) ?? [];
    if (name === undefined || value === undefined) return undefined;
    if (name === "t") {
      if (time !== undefined) return undefined;
      time = value;
    } else if (name === "v1") {
      const code = decodeCode(value, "hex", CODE_BYTES.sha256);
      if (code === undefined) return undefined;
      codes.push(code);
    }
  }
  return time === undefined ? undefined : { time, codes };
}
