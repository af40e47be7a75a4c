/**
 * Whether a header may name a message: visible characters, no full stop, which would let parts of the signed text change
 * places, and no comma, which joins two headers of the same name.
 */
export function isMessageId(id: string): boolean {
  return /^[!-+/-~-]{1,512}$/.test(id);
}
