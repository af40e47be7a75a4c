/** What a webhook does with a request, and what may be said of it. */
import type { MiddlewareHandler } from "hono";
import type { Duration } from "../duration.ts";
import type { Verifier } from "../http/verify/verifier.ts";
import { LIMITS } from "../native/generated.ts";
import type { OutputOf, Schema } from "../schema.ts";
import { checkDuration, checkFunction, checkWhole, invalid, shown } from "./check.ts";
import { pathPatterns } from "./webhook-path.ts";

// Functions that take the payload are methods, so that the payload may be declared as what the schema gives.

/** What a webhook does with a request. */
export interface WebhookOptions<S extends Schema = Schema> {
  /** The only method it takes; others are answered 405. Default `"POST"`. */
  readonly method?: WebhookMethod;
  /** Parses the body; the parsed value is the payload. What it finds wrong is answered 400. Default: any JSON is right. */
  readonly schema?: S;
  /**
   * Looks at the payload after the schema. `false`, a text or an error say that it is wrong, which is answered 400 with
   * the text or the error's message: they go to the sender. Default: it is right.
   */
  validate?(payload: OutputOf<S>, request: Request): Verdict | Promise<Verdict>;
  /** Two requests with the same key and body start one run; with another body the second is answered 409. Default: no key. */
  idempotencyKey?(request: Request, payload: OutputOf<S>): string | null | undefined;
  /**
   * Who may send: a verifier of signatures (`verify.github({ secret })` …), a function of your own over the raw bytes,
   * or `"none"` for anybody. Others are answered 401. Default `"none"`, but in production it must be said.
   */
  readonly verify?: Verifier | "none";
  /**
   * `true`: the body's text is `ctx.trigger.rawBody`, too. A function parses the bytes instead of JSON, and any content
   * type is taken; what it throws is answered 400 with the error's message. Default `false`.
   */
  readonly parseRawBody?: boolean | ((raw: Uint8Array, request: Request) => unknown);
  /** What headers there must be, and which are not recorded. */
  readonly headers?: WebhookHeaders;
  /** Whether the request starts a run at all; if not, it is answered 200 `{ "skipped": true }`. Default: it does. */
  condition?(payload: OutputOf<S>, request: Request): boolean | Promise<boolean>;
  /** Hono middleware, before anything is read. Read the body by `context.req`, not by `context.req.raw`. Default: none. */
  readonly middleware?: readonly MiddlewareHandler[];
  /** Called beside the answer, after the run was started or found again. What it throws is logged. */
  onSuccess?(started: WebhookStart<OutputOf<S>>): unknown;
  /**
   * Called beside the answer when no run was started: with a `WebhookError` for what was refused, else with what was
   * thrown. What it throws itself is logged.
   */
  onError?(error: unknown, request: Request): unknown;
  /** `"accepted"` answers 202 after the commit, `"result"` waits for the run's output. Default `"accepted"`. */
  readonly respond?: "accepted" | "result";
  /** How long `respond: "result"` waits before it answers 504 with the run's id. Default 30 s. */
  readonly timeout?: Duration;
  /** Larger bodies are answered 413. Default 1 MiB. */
  readonly maxBodyBytes?: number;
}

/** Methods that a webhook may take. */
export type WebhookMethod = "POST" | "PUT" | "PATCH" | "DELETE";

/** `true` or nothing: it is right. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that only throws returns nothing.
export type Verdict = boolean | string | undefined | void;

/** What is said of the headers of a request. Names are not case-sensitive. */
export interface WebhookHeaders {
  /** Headers that must be there, or that must be this text or match this pattern; else 400. Default: none. */
  readonly required?: readonly string[] | Readonly<Record<string, string | RegExp>>;
  /** `true`, or what is wrong with them, which is answered 400. Default: they are right. */
  validate?(headers: Headers): true | string;
  /** Headers, and parameters of the query, that are recorded as `[redacted]`, besides those that carry credentials anywhere. Default: none. */
  readonly redact?: readonly string[];
}

/** A run that a request has started. */
export interface WebhookStart<Payload = unknown> {
  /** The run that was started, or found again. */
  readonly runId: string;
  /** Whether the run was there before: the key was used, or the message delivered, a second time. */
  readonly repeated: boolean;
  /** What the schema made of the body. */
  readonly payload: Payload;
  /** The request. Its body has been read. */
  readonly request: Request;
}

const METHODS: readonly string[] = ["POST", "PUT", "PATCH", "DELETE"] satisfies WebhookMethod[];
const FUNCTIONS = ["validate", "idempotencyKey", "condition", "onSuccess", "onError"] as const;
/** A token of RFC 9110. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Throws an `InvalidError` that names the workflow, the path and the option. */
export function checkWebhook(workflowId: string, path: unknown, options: WebhookOptions): void {
  pathPatterns(workflowId, path);
  const where = `Workflow \`${workflowId}\`, webhook \`${path}\``;
  const { method = "POST", respond = "accepted", schema, timeout, maxBodyBytes, verify, parseRawBody } = options;
  if (!METHODS.includes(method)) throw invalid(`${where}: \`method\` is ${shown(method)}; give ${anyOf(METHODS)}.`);
  if (respond !== "accepted" && respond !== "result") {
    throw invalid(`${where}: \`respond\` is ${shown(respond)}; give "accepted" or "result".`);
  }
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    throw invalid(`${where}: \`schema\` is no Standard Schema; give one of zod, valibot, arktype or the like.`);
  }
  if (verify !== undefined && verify !== "none") checkFunction(where, '`verify`, if it is not "none",', verify);
  if (parseRawBody !== undefined && typeof parseRawBody !== "boolean") {
    checkFunction(where, "`parseRawBody`, if it is not true or false,", parseRawBody);
  }
  if (timeout !== undefined) checkDuration(where, "timeout", timeout, 1);
  if (maxBodyBytes !== undefined) checkWhole(where, "maxBodyBytes", maxBodyBytes, 1, LIMITS.REQUEST_BYTES);
  for (const name of FUNCTIONS) if (options[name] !== undefined) checkFunction(where, `\`${name}\``, options[name]);
  checkMiddleware(where, options.middleware);
  checkHeaders(where, options.headers);
}

function checkMiddleware(where: string, middleware: unknown): void {
  if (middleware === undefined) return;
  if (!Array.isArray(middleware)) throw invalid(`${where}: \`middleware\` is ${shown(middleware)}; give an array.`);
  middleware.forEach((layer, index) => {
    checkFunction(where, `\`middleware[${index}]\``, layer);
  });
}

function checkHeaders(where: string, headers: WebhookHeaders | undefined): void {
  if (headers === undefined) return;
  const { required = [], redact = [], validate } = headers;
  const names = Array.isArray(required) ? required : Object.keys(required);
  for (const name of [...names, ...redact]) {
    if (typeof name !== "string" || !HEADER_NAME.test(name)) {
      throw invalid(`${where}: \`headers\` names ${shown(name)}, which is no header's name.`);
    }
  }
  if (!Array.isArray(required)) {
    for (const [name, value] of Object.entries(required)) {
      if (typeof value !== "string" && !(value instanceof RegExp)) {
        throw invalid(`${where}: \`headers.required["${name}"]\` is ${shown(value)}; give a text or a pattern.`);
      }
    }
  }
  if (validate !== undefined) checkFunction(where, "`headers.validate`", validate);
}

function anyOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
