/** The management routes as a Hono app: who may, from where, and then the table. */
import { type Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { refuse } from "../answers.ts";
import { authorize } from "../auth/authorize.ts";
import { crossOrigin } from "../auth/cross-origin.ts";
import { crossSiteRefusal, sameOrigin } from "../auth/same-origin.ts";
import { outcomeOf } from "./failure.ts";
import { PAGE_HEADERS, refusalPage } from "./page.ts";
import { isForm, readInput } from "./read.ts";
import type { Outcome, Route, Tools } from "./route.ts";
import { ROUTES } from "./table.ts";

const METHODS: readonly string[] = [...new Set(ROUTES.map(({ method }) => method))];

export function createManagement(tools: Tools): Hono {
  const { engine } = tools;
  const routes = new Hono();
  routes.use(async (context, next) => {
    await next();
    context.header("Cache-Control", "no-store");
    context.header("X-Content-Type-Options", "nosniff");
  });
  const allowedOrigins = (): readonly string[] => engine.http.allowedOrigins;
  routes.use(crossOrigin(allowedOrigins, METHODS));
  // What is open is served before the guard, so that nothing has to tell the guard to look away. The router that finds a
  // route finds whether it is open, so no spelling of a path can make the two differ.
  for (const route of ROUTES) {
    const { isOpen } = route;
    if (isOpen === undefined) continue;
    routes.on(route.method, route.path, async (context, next) => {
      if (!isOpen(engine.http)) return next();
      return crossSiteRefusal(context, allowedOrigins()) ?? answer(context, tools, route);
    });
  }
  routes.use(authorize(() => engine.http));
  routes.use(sameOrigin(allowedOrigins));

  for (const route of ROUTES) routes.on(route.method, route.path, (context) => answer(context, tools, route));
  for (const path of new Set(ROUTES.map((route) => route.path)))
    routes.all(path, (context) => wrongMethod(context, path));
  routes.all("*", (context) => refuse(context, 404, "not_found", "There is nothing here."));
  return routes;
}

async function answer(context: Context, tools: Tools, route: Route): Promise<Response> {
  const { page } = route;
  const asPage = page !== undefined && (route.method === "GET" ? prefersHtml(context) : isForm(context.req, route));
  const outcome = await perform(context, tools, route);
  for (const [name, value] of Object.entries(outcome.headers ?? {})) context.header(name, value);
  if (page !== undefined) context.header("Vary", "Accept");
  if (!asPage) return context.json(outcome.body, outcome.status);
  for (const [name, value] of Object.entries(PAGE_HEADERS)) context.header(name, value);
  return context.html(outcome.error === undefined ? page(outcome.body) : refusalPage(outcome.error), outcome.status);
}

async function perform(context: Context, tools: Tools, route: Route): Promise<Outcome> {
  try {
    const body = await route.handle(tools, await readInput(context, route, tools.engine.http.requestTimeoutMs));
    return { status: route.success.status, body };
  } catch (error) {
    return outcomeOf(error, `${context.req.method} ${route.path}`, tools.engine.log());
  }
}

function prefersHtml(context: Context): boolean {
  const [json, html] = ["application/json", "text/html"];
  return accepts(context, { header: "Accept", supports: [json, html], default: json }) === html;
}

function wrongMethod(context: Context, path: string): Response {
  const methods = ROUTES.flatMap((route) => (route.path === path ? [route.method] : []));
  const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
  return refuse(context, 405, "method_not_allowed", `Use ${allow}.`, { Allow: allow });
}
