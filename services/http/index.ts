import { defineService } from "cronflow-ffi";
import { mayHelp, signalOf, statusError } from "../lib/api.ts";
import { httpUrl, list, object, optional, otherwise, text, texts, timeoutMs, whole } from "../lib/fields.ts";
import { final } from "../lib/final.ts";
import { Allowed } from "./addresses.ts";
import { bytesOf, send, shown } from "./send.ts";

/** What a request is made of, besides its address. */
export interface HttpRequest {
  /** Default `"GET"`. */
  readonly method?: string;
  /** Sent besides those of the service's `config`. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Added to the address. */
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Milliseconds until the answer is there in full. Default: what the service is configured with. */
  readonly timeoutMs?: number;
  /** Give it `ctx.signal`, so that the request ends when the step does. */
  readonly signal?: AbortSignal;
  /** Whether an answer with a status of 400 or more is an error. Default true. */
  readonly throws?: boolean;
}

/** An answer, read to its end. */
export interface HttpAnswer {
  /** Like 200. */
  readonly status: number;
  /** By name, in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON that is read if the answer says that it is some, otherwise text. */
  readonly body: unknown;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/** Characters of a body that an error shows. */
const SHOWN = 500;

/**
 * Requests to anywhere on the public Internet: what is not public is refused, unless it is allowed. At most five
 * redirects are followed.
 *
 * `config`: `baseUrl`, what addresses are relative to; `headers`, sent with each request; `timeoutMs`, milliseconds
 * until the answer is there in full (default 30,000); `maxBytes` of an answer that are read (default 10 MiB); `allow`,
 * hosts that may be asked although they are not public: names, addresses, networks like `10.0.0.0/8` (default: none);
 * `ca`, certificates to trust besides the system's, as PEM. No `auth`. An answer of 400 or more is an error, with a
 * code like `"HTTP_404"`: a `NonRetryableError`, unless the same request may succeed later (5xx, 408, 425, 429).
 */
export const http = defineService({
  id: "http",
  name: "HTTP",
  version: "1",
  schema: {
    config: object({
      /** What addresses are relative to. */
      baseUrl: optional(httpUrl),
      /** Sent with each request. */
      headers: otherwise(texts, {}),
      timeoutMs,
      /** Bytes of an answer that are read. Default 10 MB. */
      maxBytes: otherwise(whole(1, 1 << 30), 10 << 20),
      /** Hosts that may be asked although they are not public: names, addresses, networks like `10.0.0.0/8`. */
      allow: otherwise(list(text), []),
      /** Certificates to trust besides the system's, as PEM. */
      ca: optional(text),
    }),
  },
  setup: ({ config }) => {
    const allowed = new Allowed(config.allow);
    const request = async (address: string, given: HttpRequest = {}): Promise<HttpAnswer> => {
      const { method = "GET", throws = true, query = {}, json } = given;
      const url = URL.parse(address, config.baseUrl);
      if (url === null) throw final("what was asked for is no address", "URL_INVALID");
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
      const headers = new Headers({ ...config.headers, ...given.headers });
      if (json !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
      const body = json === undefined ? given.body : JSON.stringify(json);
      const signal = signalOf(given.timeoutMs ?? config.timeoutMs, given.signal);
      const sent = await send({ url, method: method.toUpperCase(), headers, body }, { allowed, signal, ca: config.ca });
      const answer = await read(sent.response, sent.url, config.maxBytes);
      if (throws && answer.status >= 400) throw refusal(method, url, answer);
      return answer;
    };
    return {
      actions: {
        /** Any request. */
        request,
        /** A GET. */
        get: (address: string, given: HttpRequest = {}) => request(address, { ...given, method: "GET" }),
        /** A POST of JSON. */
        post: (address: string, json: unknown, given: HttpRequest = {}) =>
          request(address, { ...given, method: "POST", json }),
      },
    };
  },
});

async function read(response: Response, url: URL, maxBytes: number): Promise<HttpAnswer> {
  const text = new TextDecoder().decode(await bytesOf(response, maxBytes));
  const { status } = response;
  const isJson = /^application\/([\w.+-]+\+)?json\b/i.test(response.headers.get("content-type") ?? "");
  const body = isJson && text !== "" ? parsed(text, url) : text;
  return { status, headers: Object.fromEntries(response.headers), body, url: url.href };
}

function parsed(text: string, url: URL): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw Object.assign(new Error(`${shown(url)} answers JSON that is none`, { cause: error }), {
      code: "BODY_INVALID",
    });
  }
}

function refusal(method: string, url: URL, { status, body }: HttpAnswer): Error {
  const text = (typeof body === "string" ? body : JSON.stringify(body)).slice(0, SHOWN);
  return statusError(status, `${method} ${shown(url)} answered ${status}: ${text}`, !mayHelp(status));
}
