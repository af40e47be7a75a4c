/** Signatures of standardwebhooks.com, which many services send. */
import { isMessageId } from "./message-id.ts";
import { keysOf, type Secrets } from "./secrets.ts";
import { CODE_BYTES, decodeCode, isSigned } from "./signature.ts";
import { isRecent, type Tolerance, toleranceMs } from "./timestamp.ts";
import { type DirectVerifier, REMEMBERED, refused } from "./verifier.ts";

const NAME = "verify.standardWebhooks";
const SECRET_PREFIX = "whsec_";
const SIGNATURE = /^([a-z0-9]+),([A-Za-z0-9+/=]+)$/;

/**
 * Checks `webhook-signature` as standardwebhooks.com says: HMAC-SHA256 (`v1`) over id, time and body. The message is
 * named by its `webhook-id`; a second delivery finds the first run for 30 days.
 *
 * @param options `secrets` (or one `secret`): `whsec_…`, or the same base64 without it. `tolerance`: how old a message
 *   may be, or how far in the future, default 5 min.
 */
export function standardWebhooks(options: Secrets & Tolerance): DirectVerifier {
  const keys = keysOf(NAME, options, decodeSecret);
  const tolerance = toleranceMs(NAME, options);
  return (raw, { headers }, nowMs) => {
    const id = headers.get("webhook-id");
    const time = headers.get("webhook-timestamp");
    const signatures = headers.get("webhook-signature");
    if (id === null || time === null || signatures === null) return refused("a header is missing");
    if (!isMessageId(id)) return refused("the id is not of its form");
    if (!isRecent(time, nowMs, tolerance)) return refused("the time is not near");
    const codes = codesOf(signatures);
    if (codes === undefined) return refused("the signature is not of its form");
    if (!isSigned("sha256", keys, [`${id}.${time}.`, raw], codes)) return refused("the signature does not match");
    return { ok: true, deliveryId: id, ttl: REMEMBERED };
  };
}

/** The codes of version `v1`; others are for verifiers of other kinds. */
function codesOf(header: string): Uint8Array[] | undefined {
  const codes: Uint8Array[] = [];
  for (const signature of header.split(" ")) {
    const [, version, text] = SIGNATURE.exec(signature) ?? [];
    if (version === undefined || text === undefined) return undefined;
    if (version !== "v1") continue;
    const code = decodeCode(text, "base64", CODE_BYTES.sha256);
    if (code === undefined) return undefined;
    codes.push(code);
  }
  return codes;
}

function decodeSecret(secret: string): Uint8Array | undefined {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
