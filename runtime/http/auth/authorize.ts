/** The one place where it is decided whether a request may use the management routes. */
import type { Context, MiddlewareHandler } from "hono";
import { refuse } from "../answers.ts";
import { isLocal } from "../connection.ts";
import type { HttpOptions } from "../options.ts";
import type { Tokens } from "./tokens.ts";

/** What the routes that need no auth set before: see `isOpen` of the route table. */
export interface AuthEnv {
  readonly Variables: { isOpen?: true };
}

/** Lets a request through, or answers it. Goes before everything but what sets `isOpen`. */
export function authorize(options: () => HttpOptions): MiddlewareHandler<AuthEnv> {
  return async (context, next) => {
    if (context.get("isOpen")) return next();
    const { guard } = options();
    switch (guard.by) {
      case "middleware":
        return guard.handler(context, next);
      case "bearer":
        return hasToken(context, guard.tokens) ? next() : unauthorized(context);
      case "loopback":
        if (guard.tokens === undefined || isLocal(context) !== true) return notConfigured(context);
        return hasToken(context, guard.tokens) ? next() : unauthorized(context);
    }
  };
}

function hasToken(context: Context, tokens: Tokens): boolean {
  return tokens.accept(context.req.header("authorization"));
}

function unauthorized(context: Context): Response {
  const challenge = { "WWW-Authenticate": "Bearer" };
  return refuse(context, 401, "unauthorized", "Send `Authorization: Bearer` with a token that is accepted.", challenge);
}

function notConfigured(context: Context): Response {
  const message =
    "Management is open to the machine that serves it only. Set `auth` of createCronflow() or start() to open it to others.";
  return refuse(context, 403, "auth_not_configured", message);
}
