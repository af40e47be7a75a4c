/** Tells two bodies apart: SHA-256 in hexadecimal. */
export function fingerprint(body: string | Uint8Array): string {
  return Bun.SHA256.hash(body, "hex");
}
