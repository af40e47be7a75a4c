/** The bytes of a request to a management route, as far as they are welcome. */
import type { HonoRequest } from "hono";
import { Refused } from "./failure.ts";

const MOST_BYTES = 1 << 20;

/** Throws a `Refused` when there are too many, or they do not arrive in time; then the rest is not read. */
export async function bytesOf(request: HonoRequest, timeoutMs: number): Promise<Uint8Array> {
  const { raw } = request;
  // A middleware has read it by `context.req`, which has kept it.
  if (raw.bodyUsed) return welcome(new Uint8Array(await request.arrayBuffer()));
  if (Number(raw.headers.get("content-length") ?? 0) > MOST_BYTES) throw tooLarge();
  if (raw.body === null) return new Uint8Array();
  const reader = raw.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {}); // The sender may have left.
  }, timeoutMs);
  try {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new Refused(408, "request_timeout", "The request did not arrive in time.");
      if (done) return Buffer.concat(parts);
      length += value.byteLength;
      if (length > MOST_BYTES) {
        reader.cancel().catch(() => {}); // As above.
        throw tooLarge();
      }
      parts.push(value);
    }
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(400, "body_incomplete", "The body did not arrive as a whole.");
  } finally {
    clearTimeout(timer);
  }
}

function welcome(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > MOST_BYTES) throw tooLarge();
  return bytes;
}

function tooLarge(): Refused {
  return new Refused(413, "body_too_large", `The body is larger than ${MOST_BYTES} bytes.`);
}
