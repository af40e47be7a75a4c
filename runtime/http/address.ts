/** Where a request goes, whatever its sender has written as the host. */
import type { Context } from "hono";
import { getPath } from "hono/utils/url";

/** The path. Without a valid host Bun's address is the path alone, of which Hono would take the beginning for the host. */
export function pathOf(request: Request): string {
  return getPath(request.url.startsWith("/") ? new Request(`http://localhost${request.url}`) : request);
}

/** The path as it is defined, for the log: what the sender wrote may be a token, or lines of its own. */
export function definedPath(context: Context): string {
  // Not by `hono/route`, which knows only requests of this copy of Hono: the app may have another.
  const paths = context.req.matchedRoutes.map(({ path }) => path);
  return paths.findLast((path) => !path.endsWith("*")) ?? paths.at(-1) ?? "of no route";
}

/** The query without its sign; empty if there is none. The address need not be one that can be parsed. */
export function queryOf(url: string): string {
  const end = url.indexOf("#");
  const address = end === -1 ? url : url.slice(0, end);
  const start = address.indexOf("?");
  return start === -1 ? "" : address.slice(start + 1);
}
