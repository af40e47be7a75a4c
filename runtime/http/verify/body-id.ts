/** The name that a sender has given a message inside its body, which is signed. */

/** The text in this field of a JSON object, if there is one. */
export function bodyId(raw: Uint8Array, field: string): string | undefined {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(raw));
  } catch {
    // Not every message of these senders is JSON; what is wrong with the body is told later, when it is parsed.
    return undefined;
  }
  if (typeof body !== "object" || body === null || !Object.hasOwn(body, field)) return undefined;
  const id: unknown = (body as Record<string, unknown>)[field];
  return typeof id === "string" && id !== "" ? id : undefined;
}
