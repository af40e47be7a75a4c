/** The server of one engine: it owns the socket. */
import type { Hono } from "hono";
import { Patience } from "../services/patience.ts";

export interface ServerOptions {
  readonly port: number;
  readonly hostname: string | undefined;
  /** How long a request may take until it is answered. */
  readonly requestTimeoutMs: number;
}

export class HttpServer {
  readonly #server: Bun.Server<unknown>;
  #drained: Promise<void> | undefined;

  constructor(routes: Hono, { port, hostname, requestTimeoutMs }: ServerOptions) {
    this.#server = Bun.serve({
      port,
      ...(hostname !== undefined && { hostname }),
      idleTimeout: idleSeconds(requestTimeoutMs),
      // The routes may ask the server who a request comes from.
      fetch: (request, server) => routes.fetch(request, { server }),
      // What the routes do not catch (a middleware that throws what is no error) must not become a page with a stack.
      development: false,
      // Without development, Bun would share a port that is taken with whoever has it.
      reusePort: false,
      error: () => Response.json(FAILED, { status: 500 }),
    });
  }

  get url(): URL {
    return this.#server.url;
  }

  /** Takes no new connections; resolves when all requests that were begun are answered. */
  drain(): Promise<void> {
    this.#drained ??= this.#server.stop();
    return this.#drained;
  }

  /** Ends all connections. Those to whom an answer is on its way still hear it: the engine keeps nobody waiting now. */
  async close(): Promise<void> {
    const patience = new Patience(ANSWERS_MS);
    await patience.has(this.drain());
    patience.end();
    await this.#server.stop(true);
  }
}

const FAILED = { error: { code: "internal_error", message: "The request failed." } };

/** How long answers may be on their way when connections are ended: of functions of the user's, or slow senders. */
const ANSWERS_MS = 1_000;
/** The longest that Bun takes. */
const LONGEST_IDLE_SECONDS = 255;
const GRACE_SECONDS = 10;

/**
 * Bun ends connections that were idle for this long, also while a slow upload is under way and while an answer is
 * awaited: the request's own deadline must come first.
 */
function idleSeconds(requestTimeoutMs: number): number {
  return Math.min(LONGEST_IDLE_SECONDS, Math.ceil(requestTimeoutMs / 1_000) + GRACE_SECONDS);
}
