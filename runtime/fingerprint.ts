/** Tells two bodies apart: SHA-256 in hexadecimal. */
export function fingerprint(body: string): string {
  return new Bun.CryptoHasher("sha256").update(body).digest("hex");
}
