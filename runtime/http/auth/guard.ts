/** What decides who may use the management routes. */
import type { MiddlewareHandler } from "hono";
import { InvalidError } from "../../errors.ts";
import { Tokens } from "./tokens.ts";

/** A bearer token, several of them, or a Hono middleware that calls `next()` or answers. */
export type Auth =
  | string
  | {
      /** Tokens of at least 16 characters of visible ASCII: whoever sends one as `Authorization: Bearer …` is let in. */
      readonly bearer: string | readonly string[];
    }
  | MiddlewareHandler;

export type Guard =
  | { readonly by: "middleware"; readonly handler: MiddlewareHandler }
  | { readonly by: "bearer"; readonly tokens: Tokens }
  /** Nothing was said: only this machine, with the token that `start` has logged, if it has. */
  | { readonly by: "loopback"; readonly tokens: Tokens | undefined };

/** Shorter ones can be guessed. */
const SHORTEST_TOKEN = 16;

export function guardOf(auth: Auth | undefined, localToken: string | undefined): Guard {
  if (auth === undefined) {
    return { by: "loopback", tokens: localToken === undefined ? undefined : new Tokens([localToken]) };
  }
  if (typeof auth === "function") return { by: "middleware", handler: auth };
  const bearer = typeof auth === "string" ? auth : auth.bearer;
  const tokens = typeof bearer === "string" ? [bearer] : bearer;
  if (!Array.isArray(tokens) || tokens.length === 0) throw invalid("`auth` has no token; give at least one.");
  for (const token of tokens) checkToken(token);
  return { by: "bearer", tokens: new Tokens(tokens) };
}

/** The message does not show the token. */
function checkToken(token: unknown): void {
  if (typeof token !== "string") throw invalid(`A token of \`auth\` is of type ${typeof token}; give a string.`);
  if (token.length < SHORTEST_TOKEN) {
    throw invalid(
      `A token of \`auth\` has ${token.length} characters; give at least ${SHORTEST_TOKEN} that nobody guesses.`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw invalid("A token of `auth` has characters that a header cannot carry; give visible ASCII without spaces.");
  }
}

function invalid(message: string): InvalidError {
  return new InvalidError("config_invalid", message);
}
