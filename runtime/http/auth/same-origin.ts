/**
 * Keeps other sites' pages from using a browser's credentials. Browsers say where an unsafe request comes from;
 * clients that say nothing are no browsers, and bring no credentials they were not given.
 */
import type { Context, MiddlewareHandler } from "hono";
import { refuse } from "../answers.ts";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** Refuses unsafe requests of pages of other origins, but for those that are allowed. */
export function sameOrigin(allowedOrigins: () => readonly string[]): MiddlewareHandler {
  return async (context, next) => crossSiteRefusal(context, allowedOrigins()) ?? next();
}

/** The refusal of such a request; `undefined` for others. */
export function crossSiteRefusal(context: Context, allowedOrigins: readonly string[]): Response | undefined {
  if (SAFE_METHODS.has(context.req.method) || isOwn(context)) return undefined;
  if (allowedOrigins.includes(context.req.header("origin") ?? "")) return undefined;
  return refuse(
    context,
    403,
    "cross_site",
    "A page of another origin may not do this; name it in `allowedOrigins` if it may.",
  );
}

/** Pages cannot write `Sec-Fetch-Site`, so it decides where it is there. Elsewhere the origin must be ours. */
function isOwn({ req }: Context): boolean {
  const site = req.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  const origin = req.header("origin");
  if (origin === undefined) return true;
  const from = URL.parse(origin);
  // The server may be reached by another scheme than the one it sees, behind a proxy: only the host is compared.
  return from !== null && from.host !== "" && from.host === hostOf(from.protocol, req.header("host"), req.url);
}

function hostOf(protocol: string, header: string | undefined, url: string): string | undefined {
  return header === undefined ? URL.parse(url)?.host : URL.parse(`${protocol}//${header}`)?.host;
}
