/** Requests as a host's fetch handler gets them, without a socket. */
import type { Seen } from "./judge.ts";
import { addressOf, type Plan } from "./plan.ts";

/** `undefined`: no `Request` can be made of it. */
export function requestOf(plan: Plan): Request | undefined {
  const { method, headers, body, delivery } = plan;
  try {
    return new Request(addressOf(plan), {
      method,
      headers,
      ...(body !== undefined && { body: delivery === "whole" ? Buffer.from(body) : streamOf(body, delivery) }),
    });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export async function seenOf(response: Response): Promise<Seen> {
  return { status: response.status, headers: response.headers.toJSON(), text: await response.text() };
}

/** A few bytes at a time, to the end or not. */
function streamOf(body: Uint8Array, delivery: "pieces" | "broken"): ReadableStream<Uint8Array> {
  const size = Math.max(1, Math.ceil(body.length / 3));
  let at = 0;
  return new ReadableStream({
    pull: (controller) => {
      if (at >= body.length) {
        if (delivery === "broken") controller.error(new Error("the sender has left"));
        else controller.close();
        return;
      }
      controller.enqueue(body.slice(at, at + size));
      at += size;
    },
  });
}
