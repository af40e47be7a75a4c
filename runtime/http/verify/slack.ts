/** Signatures of Slack's events, commands and interactions. */
import { bodyId } from "./body-id.ts";
import { keysOf, type Secrets } from "./secrets.ts";
import { CODE_BYTES, contentId, decodeCode, isSigned } from "./signature.ts";
import { isRecent, type Tolerance, toleranceMs } from "./timestamp.ts";
import { type DirectVerifier, REMEMBERED, refused } from "./verifier.ts";

const NAME = "verify.slack";
const VERSION = "v0";

/**
 * Checks `x-slack-signature`: HMAC-SHA256 over `x-slack-request-timestamp` and body. The message is named by the
 * `event_id` in its body, else by what was signed; a second delivery finds the first run for 30 days.
 *
 * @param options `secret` (the app's signing secret), or `secrets` while they are rotated. `tolerance`: how old a
 *   message may be, or how far in the future, default 5 min.
 */
export function slack(options: Secrets & Tolerance): DirectVerifier {
  const keys = keysOf(NAME, options);
  const tolerance = toleranceMs(NAME, options);
  return (raw, { headers }, nowMs) => {
    const header = headers.get("x-slack-signature");
    const time = headers.get("x-slack-request-timestamp");
    if (header === null || time === null) return refused("a header is missing");
    if (!isRecent(time, nowMs, tolerance)) return refused("the time is not near");
    if (!header.startsWith(`${VERSION}=`)) return refused("the signature is not of its form");
    const code = decodeCode(header.slice(VERSION.length + 1), "hex", CODE_BYTES.sha256);
    if (code === undefined) return refused("the signature is not of its form");
    const content = [`${VERSION}:${time}:`, raw];
    if (!isSigned("sha256", keys, content, [code])) return refused("the signature does not match");
    return { ok: true, deliveryId: bodyId(raw, "event_id") ?? contentId(content), ttl: REMEMBERED };
  };
}
