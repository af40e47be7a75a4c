/** What lets pages of allowed origins send more than forms, and read what is answered. */
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

/**
 * Answers preflights of these origins, and marks what they are answered; requests of others pass as they are. Goes before
 * the guard: browsers send preflights without credentials, and a page must be able to read that it was refused.
 */
export function crossOrigin(allowedOrigins: () => readonly string[], methods: readonly string[]): MiddlewareHandler {
  const allowed = cors({
    origin: (origin) => origin,
    credentials: true,
    allowMethods: [...methods],
    allowHeaders: ["Authorization", "Content-Type"],
  });
  return async (context, next) => {
    const origins = allowedOrigins();
    if (origins.length === 0) return next();
    const { method } = context.req;
    const isAllowed = origins.includes(context.req.header("origin") ?? "");
    // Browsers name the method they ask for; OPTIONS alone is a request like others.
    const isOther = method === "OPTIONS" && context.req.header("access-control-request-method") === undefined;
    if (isAllowed && !isOther) return allowed(context, next);
    await next();
    // Caches must not give it to pages that are allowed.
    context.header("Vary", "Origin", { append: true });
  };
}
