/** The bytes of a body, as far as they are welcome. */
import type { Context } from "hono";
import { WebhookError } from "./error.ts";
import type { Reading } from "./exchange.ts";

const NOTHING = new Uint8Array();

/**
 * The body's bytes. Throws a 413 when there are more than `limit`; then the rest is not read.
 *
 * @param onReading Told what to cancel when nobody waits for the body any more.
 */
export async function readBody(
  { req }: Context,
  limit: number,
  onReading: (reading: Reading) => void,
): Promise<Uint8Array> {
  const { raw } = req;
  // A middleware has read it by `context.req`, which has kept it.
  if (raw.bodyUsed) return within(limit, new Uint8Array(await req.arrayBuffer()));
  const announced = raw.headers.get("content-length");
  const length = announced === null ? Number.NaN : Number(announced);
  if (length > limit) throw tooLarge();
  // A server has checked that there is as much as announced; whoever else made the request may not have.
  if (length <= limit) return within(limit, await raw.bytes().catch(incomplete));
  return raw.body === null ? NOTHING : readStream(raw.body as ReadableStream<Uint8Array>, limit, onReading);
}

async function readStream(
  body: ReadableStream<Uint8Array>,
  limit: number,
  onReading: (reading: Reading) => void,
): Promise<Uint8Array> {
  const reader = body.getReader();
  onReading(reader);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(incomplete);
    if (done) return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
    length += value.byteLength;
    if (length > limit) {
      // Not awaited: whoever sends may not care.
      reader.cancel().catch(() => {});
      throw tooLarge();
    }
    parts.push(value);
  }
}

/** A body that breaks off is the sender's matter. */
function incomplete(cause: unknown): never {
  throw new WebhookError(400, "body_incomplete", "The body did not arrive as a whole.", { cause });
}

function within(limit: number, bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > limit) throw tooLarge();
  return bytes;
}

/** The rest of the body is not read, so the connection cannot be used again. */
function tooLarge(): WebhookError {
  return new WebhookError(413, "body_too_large", "The body is larger than this webhook takes.", {
    headers: { Connection: "close" },
  });
}
