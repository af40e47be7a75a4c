/** Headers that carry credentials are not recorded. */

/** What is recorded instead. */
export const REDACTED = "[redacted]";

/** Headers whose values are credentials, wherever they come from. */
export const REDACTED_HEADERS: readonly string[] = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-amz-security-token",
];

/** Parts of names that say the same. */
export const REDACTED_WORDS: readonly string[] = ["secret", "token", "password", "session"];

const WORDS = new RegExp(REDACTED_WORDS.join("|"));

/** Takes the values out of headers that are not to be recorded. @param more Names besides those above. */
export function redaction(more: readonly string[] = []): (headers: Headers) => Record<string, string> {
  const names = new Set([...REDACTED_HEADERS, ...more.map((name) => name.toLowerCase())]);
  return (headers) => {
    // Bun's own are the fastest; other hosts give headers that only look like these.
    const recorded: Record<string, string> = headers.toJSON?.() ?? Object.fromEntries(headers);
    for (const name in recorded) if (names.has(name) || WORDS.test(name)) recorded[name] = REDACTED;
    return recorded;
  };
}
