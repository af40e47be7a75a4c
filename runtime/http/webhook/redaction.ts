/** Headers and parameters of queries that carry credentials are not recorded. */

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

/** Parts of names that say the same, as does `api key` in its spellings. */
export const REDACTED_WORDS: readonly string[] = ["secret", "token", "password", "session"];

const WORDS = new RegExp(`${REDACTED_WORDS.join("|")}|api[-_]?key`);

/** Tells, by its name in lower case, what is not to be recorded. @param more Names besides those above. */
export function redaction(more: readonly string[] = []): (name: string) => boolean {
  const names = new Set([...REDACTED_HEADERS, ...more.map((name) => name.toLowerCase())]);
  return (name) => names.has(name) || WORDS.test(name);
}

/** What is recorded of headers. */
export function recordedHeaders(headers: Headers, isRedacted: (name: string) => boolean): Record<string, string> {
  // Bun's own are the fastest; other hosts give headers that only look like these.
  const recorded: Record<string, string> = headers.toJSON?.() ?? Object.fromEntries(headers);
  for (const name in recorded) if (isRedacted(name)) recorded[name] = REDACTED;
  return recorded;
}
