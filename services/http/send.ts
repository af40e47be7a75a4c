/** One request, with its redirects, to addresses that may be asked. */
import { isIP } from "node:net";
import { final } from "../lib/final.ts";
import { type Allowed, addressOf, type Lookup } from "./addresses.ts";

const MOST_REDIRECTS = 5;
/** Headers that are meant for the first host only. */
const PRIVATE_HEADERS = ["authorization", "cookie", "proxy-authorization"];
/** Headers that speak of a body. */
const BODY_HEADERS = ["content-type", "content-length", "content-encoding", "content-language"];

export interface Sent {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | Uint8Array<ArrayBuffer> | undefined;
}

export interface SendOptions {
  readonly allowed: Allowed;
  readonly signal: AbortSignal;
  /** Default: the system's. */
  readonly lookup?: Lookup | undefined;
  /** Certificates to trust besides the system's. */
  readonly ca?: string | undefined;
}

/** The answer, its body not yet read, and where it came from. */
export async function send(first: Sent, options: SendOptions): Promise<{ response: Response; url: URL }> {
  let request = first;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
    const response = await sendOnce(request, options);
    const location = response.headers.get("location");
    if (location === null || !isRedirect(response.status)) return { response, url: request.url };
    await response.body?.cancel();
    request = redirected(request, response.status, location);
  }
  throw final(`${shown(first.url)} was redirected more than ${MOST_REDIRECTS} times`, "TOO_MANY_REDIRECTS");
}

async function sendOnce({ url, method, headers, body }: Sent, options: SendOptions): Promise<Response> {
  checkUrl(url);
  const address = await addressOf(url.hostname, options.allowed, options.lookup);
  options.signal.throwIfAborted();
  const target = new URL(url);
  target.hostname = isIP(address) === 6 ? `[${address}]` : address;
  const sent = new Headers(headers);
  sent.set("host", url.host);
  const isName = isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0;
  return fetch(target, {
    method,
    headers: sent,
    redirect: "manual",
    signal: options.signal,
    // A connection that is kept was made for one name.
    keepalive: false,
    // The certificate is that of the name, though the address is connected to.
    tls: { ...(isName && { serverName: url.hostname }), ...(options.ca !== undefined && { ca: options.ca }) },
    ...(body !== undefined && { body }),
  });
}

function checkUrl(url: URL): void {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw final(`${url.protocol} is not spoken here: only http: and https:`, "PROTOCOL_REFUSED");
  }
  if (url.username !== "" || url.password !== "") {
    throw final(`${shown(url)} has credentials in it: put them into headers`, "URL_INVALID");
  }
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function redirected({ url, method, headers, body }: Sent, status: number, location: string): Sent {
  const next = URL.parse(location, url.href);
  if (next === null) throw final(`${shown(url)} redirects to what is no address`, "URL_INVALID");
  const kept = new Headers(headers);
  if (next.origin !== url.origin) for (const name of PRIVATE_HEADERS) kept.delete(name);
  const isAsked = status === 303 ? method !== "HEAD" : status < 303 && method === "POST";
  if (!isAsked) return { url: next, method, headers: kept, body };
  for (const name of BODY_HEADERS) kept.delete(name);
  return { url: next, method: "GET", headers: kept };
}

/** An address without what may be private in it. */
export function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** The whole body. Throws a `NonRetryableError` when it has more bytes than are read. */
export async function bytesOf(response: Response, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength;
    if (length > most) throw final(`the answer has more than ${most} bytes`, "BODY_TOO_LARGE");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
