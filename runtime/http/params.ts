/** The parameters of the path of one of cronflow's routes. */
import type { Context } from "hono";
import { HonoRequest } from "hono/request";
import { TrieRouter } from "hono/router/trie-router";
import type { RouterRoute } from "hono/types";

/**
 * Of the route itself, decoded: where it is mounted there may be others, of the same names. The route is asked of the
 * request, because `matchedRoutes()` knows only requests of this copy of Hono, and the app may have another.
 */
export function paramsOf({ req }: Context): Readonly<Record<string, string>> {
  const route = req.matchedRoutes[req.routeIndex];
  if (route === undefined || !/[:*]/.test(route.basePath)) return req.param();
  const router = new TrieRouter<[never, RouterRoute]>();
  // As it is mounted, but with names that no path can have, and that are left out.
  const base = route.basePath.replaceAll("/:", `/:${OUTER}`);
  router.add("ALL", base + route.path.slice(route.basePath.length), [undefined as never, route]);
  const params: Record<string, string> = new HonoRequest(req.raw, req.path, router.match("ALL", req.path)).param();
  return Object.fromEntries(Object.entries(params).filter(([name]) => !name.startsWith(OUTER)));
}

/** Paths have no spaces. */
const OUTER = "app ";
