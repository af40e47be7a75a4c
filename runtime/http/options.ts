/** What users say of HTTP, and what the routes make of it. */
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { type Auth, type Guard, guardOf } from "./auth/guard.ts";

/** How an engine is reached over HTTP. */
export interface HttpSettings {
  /**
   * Who may use the management routes: whoever sends this token (or one of these) as `Authorization: Bearer …`, at
   * least 16 characters; or whom a Hono middleware lets through by calling `next()`. Default: a token that each
   * `start({ port })` makes and logs, good on this machine only.
   */
  readonly auth?: Auth;
  /**
   * Who may see and answer a request for approval: `"auth"`, whoever `auth` lets through, or `"token"`, whoever has
   * its token, so that a link in a mail works. Default `"auth"`.
   */
  readonly approvals?: "auth" | "token";
  /**
   * Origins (`https://example.com`) whose pages may send requests to the management routes and read the answers: they get
   * CORS headers. Default: none but its own.
   */
  readonly allowedOrigins?: readonly string[];
  /** Webhook requests that may wait for their answer at the same time; more are refused with 503. Default 1,000: each may hold a body in memory. */
  readonly maxPendingRequests?: number;
  /** How long a webhook request may take until it is answered. Default 30 s. */
  readonly requestTimeout?: Duration;
  /** Whether answers say less of what went wrong inside. Default: whether `NODE_ENV` is `production` at the start. */
  readonly production?: boolean;
}

/** The same, checked and complete. */
export interface HttpOptions {
  readonly guard: Guard;
  readonly approvals: "auth" | "token";
  readonly allowedOrigins: readonly string[];
  readonly maxPendingRequests: number;
  readonly requestTimeoutMs: number;
  readonly isProduction: boolean;
}

/** Checks the settings. `localToken`: what management asks for on this machine when there is no `auth`. */
export function httpOptions(settings: HttpSettings, localToken?: string): HttpOptions {
  const { auth, approvals = "auth", allowedOrigins = [], maxPendingRequests = 1_000 } = settings;
  if (approvals !== "auth" && approvals !== "token") {
    throw invalid(`\`approvals\` is ${JSON.stringify(approvals)}; give "auth" or "token".`);
  }
  if (!Number.isSafeInteger(maxPendingRequests) || maxPendingRequests < 1) {
    throw invalid(`\`maxPendingRequests\` is ${String(maxPendingRequests)}; give a whole number from 1.`);
  }
  return {
    guard: guardOf(auth, localToken),
    approvals,
    allowedOrigins: allowedOrigins.map(originOf),
    maxPendingRequests,
    requestTimeoutMs: timeoutOf(settings.requestTimeout ?? 30_000),
    isProduction: settings.production ?? isProduction(),
  };
}

/**
 * A bundler that minifies writes its own mode in the place of `process.env.NODE_ENV`, so that a process which is told to
 * be in production would not hear of it: it is asked by another name, too. Either is enough.
 */
function isProduction(): boolean {
  return process.env["NODE_ENV"] === "production" || Bun.env["NODE_ENV"] === "production";
}

function originOf(text: string): string {
  const origin = URL.parse(text)?.origin;
  if (origin === undefined || origin === "null" || origin !== text) {
    throw invalid(`\`allowedOrigins\` has ${JSON.stringify(text)}; give origins like "https://example.com".`);
  }
  return origin;
}

function timeoutOf(duration: Duration): number {
  let parsed: number;
  try {
    parsed = milliseconds(duration);
  } catch (error) {
    throw invalid(`\`requestTimeout\`: ${(error as Error).message}`);
  }
  if (parsed === 0) throw invalid("`requestTimeout` is 0; give at least a millisecond.");
  return parsed;
}

function invalid(message: string): InvalidError {
  return new InvalidError("config_invalid", message);
}
