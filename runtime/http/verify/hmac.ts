/** Signatures of whoever signs by HMAC in a way of their own. */
import { checkFunction, invalid, shown } from "../../definition/check.ts";
import type { Repeats } from "./github.ts";
import { isMessageId } from "./message-id.ts";
import { keysOf, type Secrets } from "./secrets.ts";
import {
  type Algorithm,
  CODE_BYTES,
  type Content,
  contentId,
  decodeCode,
  type Encoding,
  isSigned,
} from "./signature.ts";
import { isRecent, type Tolerance, toleranceMs } from "./timestamp.ts";
import { type DirectVerifier, REMEMBERED, refused } from "./verifier.ts";

const NAME = "verify.hmac";

/** How the sender signs, besides its secrets. */
export interface HmacScheme extends Repeats {
  /** The header of the signature. */
  readonly header: string;
  /** Default `"sha256"`. */
  readonly algorithm?: Algorithm;
  /** How the code is written: in small hexadecimal digits, or base64 with its padding. Default `"hex"`. */
  readonly encoding?: Encoding;
  /** What stands before the code, such as `"sha256="`. Default nothing. */
  readonly prefix?: string;
  /** The header of the time in seconds since 1970; `tolerance`: how far it may be from now, default 5 min. Default: none. */
  readonly timestamp?: Tolerance & {
    /** Its name. */
    readonly header: string;
  };
  /** The header of the message's name, which must be signed, too. Default: a message is named by what was signed. */
  readonly id?: string;
  /** What is signed. Default `<id>.<timestamp>.<body>`, without those that there are not. */
  readonly signed?: (parts: SignedParts) => string | Uint8Array;
}

/** What a signature may be made of. */
export interface SignedParts {
  /** What the header `id` says; absent without one. */
  readonly id: string | undefined;
  /** What the header `timestamp` says: seconds since 1970, in digits; absent without one. */
  readonly timestamp: string | undefined;
  /** The bytes of the body, as they were sent. */
  readonly body: Uint8Array;
  /** All headers of the request. */
  readonly headers: Headers;
}

/**
 * Checks a signature by HMAC over the body, and the time and the id if there are such headers. A message that is
 * delivered again finds the first run: for 30 days if its time is checked, else for ever. `allowRepeats` starts a run
 * for each delivery.
 */
export function hmac(options: Secrets & HmacScheme): DirectVerifier {
  const { algorithm = "sha256", encoding = "hex", prefix = "", timestamp, allowRepeats = false, signed } = options;
  const keys = keysOf(NAME, options);
  if (!Object.hasOwn(CODE_BYTES, algorithm)) throw wrong("algorithm", algorithm, '"sha256", "sha512" or "sha1"');
  if (encoding !== "hex" && encoding !== "base64") throw wrong("encoding", encoding, '"hex" or "base64"');
  if (signed !== undefined) checkFunction(NAME, "`signed`", signed);
  const header = headerName("header", options.header);
  const timeHeader = timestamp && headerName("timestamp.header", timestamp.header);
  const idHeader = options.id === undefined ? undefined : headerName("id", options.id);
  const tolerance = timestamp && toleranceMs(NAME, timestamp);

  return (raw, { headers }, nowMs) => {
    const signature = headers.get(header);
    const time = timeHeader === undefined ? undefined : headers.get(timeHeader);
    const id = idHeader === undefined ? undefined : headers.get(idHeader);
    if (signature === null || time === null || id === null) return refused("a header is missing");
    if (id !== undefined && !isMessageId(id)) return refused("the id is not of its form");
    if (time !== undefined && !isRecent(time, nowMs, tolerance as number)) return refused("the time is not near");
    if (!signature.startsWith(prefix)) return refused("the signature is not of its form");
    const code = decodeCode(signature.slice(prefix.length), encoding, CODE_BYTES[algorithm]);
    if (code === undefined) return refused("the signature is not of its form");
    const content: Content = signed
      ? [signed({ id, timestamp: time, body: raw, headers })]
      : [id === undefined ? "" : `${id}.`, time === undefined ? "" : `${time}.`, raw];
    if (!isSigned(algorithm, keys, content, [code])) return refused("the signature does not match");
    return {
      ok: true,
      ...(!allowRepeats && { deliveryId: id ?? contentId(content) }),
      ...(time !== undefined && { ttl: REMEMBERED }),
    };
  };
}

function headerName(option: string, name: unknown): string {
  if (typeof name !== "string" || !/^[A-Za-z0-9-]+$/.test(name)) throw wrong(option, name, "the name of a header");
  return name;
}

function wrong(option: string, value: unknown, right: string): Error {
  return invalid(`${NAME}: \`${option}\` is ${shown(value)}; give ${right}.`);
}
