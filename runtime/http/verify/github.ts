/** Signatures of GitHub's webhooks. */
import { keysOf, type Secrets } from "./secrets.ts";
import { CODE_BYTES, contentId, decodeCode, isSigned } from "./signature.ts";
import { type DirectVerifier, refused } from "./verifier.ts";

const PREFIX = "sha256=";

/** Whether a message may come twice. */
export interface Repeats {
  /** Starts a run for each delivery, also of a message that came before. Default `false`. */
  readonly allowRepeats?: boolean;
}

/**
 * Checks `x-hub-signature-256`. GitHub does not sign the id of a delivery, so a message is named by its body: the same
 * body is the same message, for ever, and finds the first run, whoever sends it again and when.
 *
 * @param options `secret`, or `secrets` while they are rotated; `allowRepeats`, if the same body may mean two things.
 */
export function github(options: Secrets & Repeats): DirectVerifier {
  const keys = keysOf("verify.github", options);
  return (raw, { headers }) => {
    const header = headers.get("x-hub-signature-256");
    if (header === null) return refused("the header is missing");
    if (!header.startsWith(PREFIX)) return refused("the signature is not of its form");
    const code = decodeCode(header.slice(PREFIX.length), "hex", CODE_BYTES.sha256);
    if (code === undefined) return refused("the signature is not of its form");
    if (!isSigned("sha256", keys, [raw], [code])) return refused("the signature does not match");
    return { ok: true, ...(options.allowRepeats !== true && { deliveryId: contentId([raw]) }) };
  };
}
