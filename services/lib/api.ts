/** Requests to the API of a provider whose address is configured, so that nobody can choose where they go. */
import { final } from "./final.ts";

export interface ApiRequest {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly timeoutMs: number;
  /** Aborts the request earlier, like `ctx.signal`. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer, read to its end. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Sends a request and reads its answer. What it throws may be tried again. Redirects are not followed. */
export async function ask({ url, method = "GET", headers = {}, json, ...limits }: ApiRequest): Promise<ApiAnswer> {
  const response = await fetch(url, {
    method,
    headers: { ...(json !== undefined && { "content-type": "application/json; charset=utf-8" }), ...headers },
    redirect: "manual",
    signal: signalOf(limits.timeoutMs, limits.signal),
    ...(json !== undefined && { body: JSON.stringify(json) }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Aborted after the time-out, or by whoever waits. */
export function signalOf(timeoutMs: number, signal: AbortSignal | undefined): AbortSignal {
  const late = AbortSignal.timeout(timeoutMs);
  return signal === undefined ? late : AbortSignal.any([late, signal]);
}

/** Statuses that say "not now". */
const LATER = new Set([408, 425, 429]);

/** Whether the same request may succeed later. */
export function mayHelp(status: number): boolean {
  return status >= 500 || LATER.has(status);
}

/** An answer that is an error: final, unless the same request may succeed later. */
export function statusError(status: number, message: string, isFinal = !mayHelp(status)): Error {
  const code = `HTTP_${status}`;
  return isFinal ? final(message, code) : Object.assign(new Error(message), { code });
}
