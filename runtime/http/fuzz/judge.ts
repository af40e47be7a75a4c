/** What may be answered, whatever was asked. Worked out here a second time on purpose: the routes are not asked. */
import { deviation } from "../management/managed.testing.ts";
import { addressOf, type Plan } from "./plan.ts";
import { CANARY, TOKEN } from "./target.ts";

/** An answer as the sender has it. */
export interface Seen {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** What answers must not tell, besides secrets. */
export interface Private {
  /** The path of the database file. */
  readonly database: string;
}

const STATUSES = new Set([200, 202, 204, 400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 504]);
const HEADERS = new Set([
  "accept-encoding",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "allow",
  "cache-control",
  "connection",
  "content-length",
  "content-security-policy",
  "content-type",
  "date",
  "keep-alive",
  "referrer-policy",
  "transfer-encoding",
  "vary",
  "www-authenticate",
  "x-content-type-options",
  "x-frame-options",
  "x-run-id",
  "x-seen",
]);
const STACK = /\n\s+at |\.[tj]s:\d+|node_modules|native\/src/;
/** What the engine of JavaScript says of our code. */
const INTERNAL = /is not a function|is not an object|\(evaluating |\(In '|Maximum call stack/;
/** The only origin whose pages may read answers. */
const FRIEND = "https://friend.example";
const APPROVAL = /^\/cronflow\/approvals\/[^/]+$/;

/** What is wrong with an answer, if anything is. */
export function misbehaviour(plan: Plan, seen: Seen, hidden: Private): string | undefined {
  return (
    generalFault(seen) ??
    disclosure(seen, hidden) ??
    formFault(plan, seen) ??
    trespass(plan, seen) ??
    crossSite(plan, seen) ??
    sharing(plan, seen) ??
    forgery(plan, seen)
  );
}

/** What is wrong whatever the request was; also of requests that nobody can read. */
export function generalFault({ status, headers, text }: Seen): string | undefined {
  if (!STATUSES.has(status)) return `status ${status}`;
  const unknown = Object.keys(headers).find((name) => !HEADERS.has(name));
  if (unknown !== undefined) return `a header that nobody has written: ${unknown}`;
  if (text.includes(CANARY) || JSON.stringify(headers).includes(CANARY)) return "a secret is told";
  return undefined;
}

/** Who may manage sees the stacks of errors that runs have recorded, and where the database is. */
function disclosure(seen: Seen, { database }: Private): string | undefined {
  if (isManaged(seen) && seen.status === 200) return undefined;
  if (STACK.test(seen.text)) return "a stack is told";
  if (INTERNAL.test(seen.text)) return "code is told";
  return seen.text.includes(database) ? "a path is told" : undefined;
}

function formFault(plan: Plan, { status, headers, text }: Seen): string | undefined {
  const path = pathOf(plan);
  if (status === 204) return isPreflight(plan) && text === "" ? undefined : "nothing where something is to be said";
  if (plan.method === "HEAD") return text === "" ? undefined : "an answer to HEAD has a body";
  const type = headers["content-type"] ?? "";
  if (type.startsWith("text/html")) {
    return APPROVAL.test(path) && text.startsWith("<!doctype html>") ? undefined : "a page where none is";
  }
  if (!type.startsWith("application/json")) return `the content type is ${type}`;
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return "the body is no JSON";
  }
  if (status >= 400) return errorFault(status, body);
  if (path.startsWith("/cronflow/")) return deviation(plan.method, path.slice("/cronflow".length), { status, body });
  return undefined;
}

function errorFault(status: number, body: unknown): string | undefined {
  const { error, runId, ...rest } = body as { error?: Record<string, unknown>; runId?: unknown };
  if (typeof error?.["message"] !== "string") return "the error has no message";
  // A run that did not complete tells of its own error.
  if (status === 422) return typeof runId === "string" ? undefined : "the run that failed has no id";
  if (typeof error["code"] !== "string") return "the error has no code";
  const unknown = Object.keys({ ...error, ...rest }).find((name) => !["code", "message", "issues"].includes(name));
  if (unknown !== undefined) return `the error has a field ${unknown}`;
  return runId !== undefined && status !== 504 ? "a refusal has a run" : undefined;
}

/** Management without the right token. */
function trespass(plan: Plan, seen: Seen): string | undefined {
  if (!isManaged(seen) || seen.status >= 400 || APPROVAL.test(pathOf(plan)) || isPreflight(plan)) return undefined;
  const given = valuesOf(plan, "authorization");
  const isRight = given.length === 1 && given[0]?.replace(/^bearer */i, "").trim() === TOKEN;
  return isRight ? undefined : "management without the right credentials";
}

/** Something changed for a page of another site. */
function crossSite(plan: Plan, seen: Seen): string | undefined {
  if (!isManaged(seen) || seen.status >= 400 || plan.method === "GET" || plan.method === "HEAD") return undefined;
  const [origin] = valuesOf(plan, "origin");
  const [site] = valuesOf(plan, "sec-fetch-site");
  if (origin === FRIEND) return undefined;
  if (site !== undefined)
    return site === "same-origin" || site === "none" ? undefined : `a page of a ${site} page did it`;
  return origin === undefined || origin === "http://localhost" ? undefined : `a page of ${origin} did it`;
}

/** An answer that pages of other sites may read, or caches may give them. */
function sharing(plan: Plan, { headers }: Seen): string | undefined {
  const names = Object.keys(headers).filter((name) => name.startsWith("access-control-"));
  if (names.length === 0) return undefined;
  const [origin, ...more] = valuesOf(plan, "origin");
  if (origin !== FRIEND || more.length > 0) return `a page of ${origin} may read it`;
  if (headers["access-control-allow-origin"] !== FRIEND) return "pages of all sites may read it";
  return headers["vary"]?.includes("Origin") ? undefined : "a cache may give it to other sites";
}

/** A question of a browser whether a page may send something. */
function isPreflight(plan: Plan): boolean {
  return (
    plan.method === "OPTIONS" &&
    valuesOf(plan, "origin").includes(FRIEND) &&
    valuesOf(plan, "access-control-request-method").length > 0
  );
}

/** A message that was changed after it was signed. */
function forgery(plan: Plan, { status }: Seen): string | undefined {
  if (plan.sealed === undefined || status >= 400 || pathOf(plan) !== `/${plan.name}`) return undefined;
  return Buffer.compare(plan.sealed, plan.body ?? new Uint8Array()) === 0 ? undefined : "a forged message was taken";
}

/** Only management answers have it. */
function isManaged({ headers }: Seen): boolean {
  return headers["x-content-type-options"] !== undefined;
}

function valuesOf({ headers }: Plan, name: string): string[] {
  return headers.flatMap(([other, value]) => (other.toLowerCase() === name ? [value] : []));
}

/** The path that the server sees: as far as it can be decoded. */
function pathOf(plan: Plan): string {
  const path = URL.parse(addressOf(plan))?.pathname ?? "";
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (text) => {
    try {
      return decodeURI(text);
    } catch {
      return text;
    }
  });
}
