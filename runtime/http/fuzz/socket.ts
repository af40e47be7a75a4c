/** Requests as bytes on a socket: what no `Request` can be. */
import { latin1 } from "./hostile.ts";
import type { Seen } from "./judge.ts";
import { dropHeader, type Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/** How long a sender waits whose request the server may believe to be unfinished; then it leaves. */
const IMPATIENT_MS = 200;

/** Sends the bytes, and gives what came back until the other side closed. */
export async function exchange(port: number, bytes: Uint8Array, isFinished: boolean): Promise<string> {
  const received: Uint8Array[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  let rest = bytes;
  const write = (socket: Bun.Socket): void => {
    rest = rest.subarray(socket.write(rest));
  };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: write,
      drain: write,
      data: (_, data) => void received.push(Uint8Array.from(data)),
      close: () => resolve(),
      error: () => resolve(),
    },
  });
  const leaving = isFinished ? undefined : setTimeout(() => socket.terminate(), IMPATIENT_MS);
  await closed;
  clearTimeout(leaving);
  return latin1(Buffer.concat(received));
}

const FRAMING = ["connection", "content-length", "expect", "te", "transfer-encoding", "upgrade"];

/** Whether every server sees where the request ends: nothing was said of that but what is so. */
export function isFinished({ headers, delivery }: Plan): boolean {
  return delivery !== "broken" && !headers.some(([name]) => FRAMING.includes(name.toLowerCase()));
}

/** The request on the wire. It asks that the connection be closed, and cannot end before its body does. */
export function bytesOf(plan: Plan): Uint8Array {
  const { method, target, headers, body, delivery } = plan;
  const lines = [`${method} ${target} HTTP/1.1`, "Host: localhost", "Connection: close"];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (body === undefined || delivery === "whole") {
    if (body !== undefined && !headers.some(([name]) => name === "content-length")) {
      lines.push(`Content-Length: ${body.length}`);
    }
    return Buffer.concat([ascii(lines), body ?? new Uint8Array()]);
  }
  lines.push("Transfer-Encoding: chunked");
  const half = body.length >> 1;
  const pieces = [body.subarray(0, half), body.subarray(half)].filter((piece) => piece.length > 0);
  const chunks = pieces.flatMap((piece) => [
    Buffer.from(`${piece.length.toString(16)}\r\n`),
    piece,
    Buffer.from("\r\n"),
  ]);
  const end = delivery === "broken" ? "zz\r\n" : "0\r\n\r\n";
  return Buffer.concat([ascii(lines), ...chunks, Buffer.from(end)]);
}

/** The same with a few bytes of its head changed. It has no token any more: a header of another name may be recorded. */
export function scrambled(plan: Plan, random: Random): Uint8Array {
  dropHeader(plan, "authorization");
  const bytes = Uint8Array.from(bytesOf(plan));
  const end = bytes.length - (plan.body?.length ?? 0);
  for (let changes = 1 + random.int(3); changes > 0; changes -= 1) bytes[random.int(end)] = random.int(256);
  return bytes;
}

/**
 * The first answer of what came back, if it is whole; "100 Continue" is none. A server that closes before it has read
 * all that was sent takes back what the sender has not read yet: that is TCP.
 */
export function firstAnswer(received: string): Seen | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [line = "", ...lines] = received.slice(0, end).split("\r\n");
  const status = Number(line.split(" ")[1]);
  if (status < 200) return firstAnswer(received.slice(end + 4));
  const headers = Object.fromEntries(
    lines.map((header) => {
      const [name = "", ...value] = header.split(":");
      return [name.toLowerCase(), value.join(":").trim()];
    }),
  );
  const rest = received.slice(end + 4);
  const text = headers["transfer-encoding"] === "chunked" ? unchunked(rest) : lengthOf(rest, headers["content-length"]);
  return text === undefined ? undefined : { status, headers, text: Buffer.from(text, "latin1").toString() };
}

function lengthOf(rest: string, length = "0"): string | undefined {
  return rest.length < Number(length) ? undefined : rest.slice(0, Number(length));
}

function unchunked(rest: string): string | undefined {
  let [text, at] = ["", 0];
  for (;;) {
    const end = rest.indexOf("\r\n", at);
    const length = end === -1 ? Number.NaN : Number.parseInt(rest.slice(at, end), 16);
    if (Number.isNaN(length)) return undefined;
    if (length === 0) return text;
    text += rest.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
}

function ascii(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}
