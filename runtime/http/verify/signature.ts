/** Message authentication codes, and how they are written in headers. */
import type { Key } from "./secrets.ts";

/** The hash that HMAC is made with. */
export type Algorithm = "sha1" | "sha256" | "sha512";
/** How a code is written in a header. */
export type Encoding = "hex" | "base64";

/** What is signed, in pieces. */
export type Content = readonly (string | Uint8Array)[];

/** Bytes of a code. */
export const CODE_BYTES: Readonly<Record<Algorithm, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/**
 * Whether one of the codes was made with one of the keys. All are compared with all, in constant time each, so that how
 * long it takes says nothing of which was nearly right.
 */
export function isSigned(algorithm: Algorithm, keys: readonly Key[], content: Content, codes: Uint8Array[]): boolean {
  let isFound = false;
  for (const key of keys) {
    const hasher = new Bun.CryptoHasher(algorithm, key());
    for (const piece of content) hasher.update(piece);
    const expected = hasher.digest();
    for (const code of codes) {
      // The length of a code is no secret.
      const isEqual = code.length === expected.length && crypto.timingSafeEqual(expected, code);
      isFound = isEqual || isFound;
    }
  }
  return isFound;
}

/**
 * Names what was signed. Not the code itself: it may be written in several ways, and a message that is signed with two
 * secrets has two.
 */
export function contentId(content: Content): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const piece of content) hasher.update(piece);
  return hasher.digest("hex");
}

const LOWER_HEX = /^[0-9a-f]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes of a code of this length as it is written, or `undefined`: spaces, capitals in hex or the like are refused. */
export function decodeCode(text: string, encoding: Encoding, length: number): Uint8Array | undefined {
  const characters = encoding === "hex" ? length * 2 : Math.ceil(length / 3) * 4;
  if (text.length !== characters || !(encoding === "hex" ? LOWER_HEX : BASE64).test(text)) return undefined;
  const bytes = Buffer.from(text, encoding);
  return bytes.length === length ? bytes : undefined;
}
