/** Secrets as users give them: texts, or functions that read them late. */
import { invalid } from "../../definition/check.ts";

/** A secret, or a function that reads it when a message comes. */
export type Secret = string | (() => string);

/** One secret, or several while they are rotated: a message signed with any of them is right. */
export type Secrets =
  | {
      /** The only one. */
      readonly secret: Secret;
    }
  | {
      /** All that are right at the moment, at least one. */
      readonly secrets: readonly Secret[];
    };

/** A key of HMAC, ready or read late. */
export type Key = () => Uint8Array;

const encoder = new TextEncoder();

/**
 * The keys of secrets. What is wrong with a text is thrown here, what is wrong with what a function gives when it is
 * called.
 *
 * @param verifier For messages.
 * @param decode The key of a secret; `undefined` when it is no secret.
 */
export function keysOf(
  verifier: string,
  given: Secrets,
  decode: (secret: string) => Uint8Array | undefined = (secret) => encoder.encode(secret),
): readonly Key[] {
  const secrets = "secrets" in given ? given.secrets : [given.secret];
  if (!Array.isArray(secrets) || secrets.length === 0) throw invalid(`${verifier}: give at least one secret.`);
  const keyOf = (secret: unknown): Uint8Array => {
    const key = typeof secret === "string" ? decode(secret) : undefined;
    // The secret itself is not shown.
    if (key === undefined || key.length === 0) throw invalid(`${verifier}: a secret is empty or not of its form.`);
    return key;
  };
  return secrets.map((secret) => {
    if (typeof secret === "function") return () => keyOf(secret());
    const key = keyOf(secret);
    return () => key;
  });
}
