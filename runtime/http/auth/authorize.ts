/** The one place where it is decided whether a request may use the management routes. */
import type { Context, MiddlewareHandler } from "hono";
import { refuse } from "../answers.ts";
import { isLocal } from "../connection.ts";
import type { HttpOptions } from "../options.ts";
import type { Tokens } from "./tokens.ts";

/**
 * Lets a request through, or answers it. What needs no auth is served before: here nothing is believed that a request, or
 * the app around, could say. Variables of the context are everybody's.
 */
export function authorize(options: () => HttpOptions): MiddlewareHandler {
  return async (context, next) => {
    const { guard } = options();
    switch (guard.by) {
      case "middleware":
        return byMiddleware(guard.handler, context, next);
      case "bearer":
        return hasToken(context, guard.tokens) ? next() : unauthorized(context);
      case "loopback":
        if (guard.tokens === undefined || isLocal(context) !== true) return notConfigured(context);
        return hasToken(context, guard.tokens) ? next() : unauthorized(context);
    }
  };
}

/** Hono hands on what is thrown only if it is an error. */
async function byMiddleware(handler: MiddlewareHandler, ...passed: Parameters<MiddlewareHandler>) {
  try {
    return await handler(...passed);
  } catch (thrown) {
    if (thrown instanceof Error) throw thrown;
    // The cause of an error is only shown in logs if it is one, too.
    throw new Error(`the middleware of \`auth\` has thrown what is no Error: ${Bun.inspect(thrown)}`);
  }
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
