/** One request of a server in Node's manner, as a `Request` and its `Response`. */

import type { HttpBindings } from "@hono/node-server";
import { nodeServer } from "#node-server";
import type { Logger } from "../../log.ts";

/** What is known to the routes of a request. */
export interface NodeBindings extends HttpBindings {
  /** Whether the path is one of cronflow's. */
  isServed: boolean;
}

interface ServeOptions {
  /** Whether what is not cronflow's may be left to others. */
  readonly mayPass: boolean;
  readonly log: () => Logger;
}

/** Writes what `answer` gives. `false`: the request is left to others. */
export async function serveNode(
  bindings: NodeBindings,
  answer: (request: Request) => Response | Promise<Response>,
  { mayPass, log }: ServeOptions,
): Promise<boolean> {
  const { incoming, outgoing } = bindings;
  // Whoever answers first decides what the sender hears: nothing may be started that it would not hear of.
  if (outgoing.headersSent) return false;
  // In this turn Express answers what its middleware threw after `next()`.
  await Promise.resolve();
  if (outgoing.headersSent) return true;
  const { getRequestListener, RequestError } = nodeServer();
  let isAnswered = true;
  const respond = async (light: Request): Promise<Response> => {
    const response = await answer(real(light));
    if (mayPass && !bindings.isServed) {
      isAnswered = false;
      throw NOTHING;
    }
    if (!outgoing.headersSent) return response;
    log().error(`a ${incoming.method} request was answered by others while cronflow was at it`);
    throw NOTHING;
  };
  const errorHandler = (error: unknown): Response | undefined => {
    if (error === NOTHING) return undefined;
    if (!(error instanceof RequestError)) {
      log().error(`a ${incoming.method} request failed`, error);
      return refusal(500, "internal_error", "The request failed; the log says why.");
    }
    // No address, so none of cronflow's.
    isAnswered = !mayPass;
    return isAnswered ? refusal(400, "request_invalid", "The request has no valid address.") : undefined;
  };
  // The globals that the library would replace are the process's.
  const listener = getRequestListener(respond, { overrideGlobalObjects: false, errorHandler });
  await listener(incoming, outgoing);
  return isAnswered;
}

/** Thrown through the library: it writes nothing then. */
const NOTHING = new Error("nothing is to be written");

/** The library's requests only look like some: methods that Bun has added, such as `headers.toJSON()`, refuse them. */
function real({ url, method, headers, body, signal }: Request): Request {
  return new Request(url, { method, headers, body, signal });
}

function refusal(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status });
}
