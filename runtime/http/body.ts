/** The body's text, or `undefined` when it is larger than `limit` bytes; then the rest is not read. */
export async function readBody(request: Request, limit: number): Promise<string | undefined> {
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    // The server has checked that the body is as long as announced.
    return Number(announced) > limit ? undefined : request.text();
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request.body ?? []) {
    length += part.byteLength;
    if (length > limit) return undefined;
    parts.push(part);
  }
  return new TextDecoder().decode(Buffer.concat(parts));
}
