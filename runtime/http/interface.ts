/** The HTTP side of one engine: what was said of it, its routes, and its server. */
import type { Hono } from "hono";
import { InvalidError } from "../errors.ts";
import type { HttpEngine } from "./engine.ts";
import { type HttpOptions, type HttpSettings, httpOptions } from "./options.ts";
import { MANAGEMENT_PREFIX } from "./prefix.ts";
import { createRoutes } from "./routes.ts";
import { HttpServer } from "./server.ts";

/** Where to serve. */
export interface ServeSettings extends HttpSettings {
  readonly port?: number;
  readonly hostname?: string;
}

export class HttpInterface {
  readonly #engine: Omit<HttpEngine, "http" | "uptimeMs">;
  #options: HttpOptions;
  #routes: Hono | undefined;
  #server: HttpServer | undefined;
  #startedMs = 0;

  constructor(settings: HttpSettings, engine: Omit<HttpEngine, "http" | "uptimeMs">) {
    this.#options = httpOptions(settings);
    this.#engine = engine;
  }

  /** Made once, also when the engine is started again: they may be mounted somewhere. */
  get routes(): Hono {
    const options = (): HttpOptions => this.#options;
    this.#routes ??= createRoutes({
      ...this.#engine,
      get http() {
        return options();
      },
      uptimeMs: () => Math.round(performance.now() - this.#startedMs),
    });
    return this.#routes;
  }

  /** Takes what `start` says, and gives what serves it. What is wrong is thrown here, before anything is opened. */
  prepare(settings: ServeSettings): () => void {
    const { port, hostname, auth } = settings;
    const localToken = port !== undefined && auth === undefined ? randomToken() : undefined;
    const options = httpOptions(settings, localToken);
    if (this.#routes !== undefined) checkKept(this.#options, options);
    this.#options = options;
    this.#startedMs = performance.now();
    if (port === undefined) return () => {};
    const { routes } = this;
    return () => {
      const { requestTimeoutMs } = this.#options;
      this.#server = new HttpServer(routes, { port, hostname, requestTimeoutMs });
      if (localToken !== undefined) this.#tell(localToken, this.#server.url);
    };
  }

  /** Where HTTP is served, if it is. */
  get url(): URL | undefined {
    return this.#server?.url;
  }

  /** Takes no new connections; resolves when those there were have ended. */
  async drain(): Promise<void> {
    await this.#server?.drain();
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.close();
  }

  /** The only time that the token is shown. */
  #tell(localToken: string, url: URL): void {
    const { href } = new URL(MANAGEMENT_PREFIX, url);
    this.#engine
      .log()
      .info(
        `cronflow: ${href} answers this machine with \`Authorization: Bearer ${localToken}\`; set \`auth\` to open it to others`,
      );
  }
}

/** Routes keep these for good: `start` must not seem to change them. */
function checkKept(made: HttpOptions, given: HttpOptions): void {
  for (const [option, name] of [
    ["isProduction", "production"],
    ["maxPendingRequests", "maxPendingRequests"],
  ] as const) {
    if (made[option] === given[option]) continue;
    throw new InvalidError(
      "config_invalid",
      `\`${name}\` was ${made[option]} when routes() was first called, and is ${given[option]} for start(): give it to createCronflow().`,
    );
  }
}

/** 256 random bits. The global `crypto` is there without being loaded. */
function randomToken(): string {
  return crypto.getRandomValues(Buffer.alloc(32)).toString("base64url");
}
