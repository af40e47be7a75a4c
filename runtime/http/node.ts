/** The HTTP interface for servers in Node's manner: Express, Fastify, Koa, `node:http`. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Hono } from "hono";
import { matchedRoutes } from "hono/route";
import { InvalidError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { definedPath } from "./address.ts";
import { refuse } from "./answers.ts";
import { type NodeBindings, serveNode } from "./mounting/exchange.ts";
import { isBodyLost } from "./mounting/lost-body.ts";

/** How the HTTP interface is mounted in a server of Node's manner. */
export interface NodeHandlerOptions {
  /**
   * What paths begin with where cronflow is mounted, if the framework leaves it in `request.url`: Fastify, Koa,
   * `node:http`. Express takes it off, so there it is left out. Default: nothing.
   */
  readonly prefix?: string;
}

/**
 * Answers a request, or calls `next` when its path is none of cronflow's; without `next` that is a 404. Resolves when
 * the answer is written, or when what `next` gave has resolved.
 */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse, next?: () => unknown) => Promise<void>;

/** What the handler needs of the engine. */
export interface Mounted {
  /** Asked for with the first request: workflows may be defined until then. */
  readonly routes: () => Hono;
  readonly log: () => Logger;
}

export function nodeHandler(mounted: Mounted, { prefix = "/" }: NodeHandlerOptions = {}): NodeHandler {
  if (!/^\/[^\s:*?#]*$/.test(prefix)) {
    throw new InvalidError("config_invalid", `\`prefix\` is ${JSON.stringify(prefix)}; give a path like "/flows".`);
  }
  let app: NodeApp | undefined;
  return async (incoming, outgoing, next) => {
    const bindings: NodeBindings = { incoming, outgoing, isServed: true };
    const answer = (request: Request): Response | Promise<Response> => {
      app ??= under(prefix, mounted);
      return app.fetch(request, bindings);
    };
    const isAnswered = await serveNode(bindings, answer, { mayPass: next !== undefined, log: mounted.log });
    if (!isAnswered) await next?.();
  };
}

type NodeApp = Hono<{ Bindings: NodeBindings }>;

/** The routes, which also notice what they do not serve, and bodies that others have read. */
function under(prefix: string, { routes, log }: Mounted): NodeApp {
  const app: NodeApp = new Hono();
  let isTold = false;
  app.use(async (context, next) => {
    const isOurs = matchedRoutes(context).length > 1; // One is this.
    if (!isOurs || !isBodyLost(context.env.incoming)) return next();
    if (!isTold) log().error(`${context.req.method} ${definedPath(context)}: ${BODY_LOST}`);
    isTold = true;
    return refuse(context, 400, "body_already_read", BODY_LOST);
  });
  app.route(prefix, routes());
  app.notFound((context) => {
    context.env.isServed = false;
    return refuse(context, 404, "not_found", "There is nothing here.");
  });
  return app;
}

const BODY_LOST =
  "The body was read before cronflow came to it. Mount cronflow before body parsers, or have them keep the bytes as a Buffer in `request.rawBody`.";
