/** For tests: what an app is that cronflow is mounted in, whatever its framework. */
import { onTestFinished } from "bun:test";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Cronflow } from "cronflow-ffi";

/** An app that takes requests. It has a route of its own, `POST /own`, which answers the JSON it was sent. */
export interface App {
  readonly send: (path: string, init?: RequestInit) => Promise<Response>;
}

/** What the app's own middleware does, as far as a test wants it to do something. */
export interface Middleware {
  /** Before cronflow comes to the request. */
  readonly before: () => void;
  /** After cronflow has come to the request. */
  readonly after: () => void;
}

/** The beginning of a path. */
type Path = "" | `/${string}`;

/** How a failure of the app's that comes late ends. */
interface Late {
  /** What the sender gets. */
  readonly status: 202 | 500;
  readonly isStarted: boolean;
  readonly why: string;
}

/** A way of mounting cronflow in a framework. */
export interface Host {
  readonly name: string;
  /** What all of cronflow's paths begin with in the app. */
  readonly prefix: Path;
  /** What the paths of webhooks begin with, as they are written. */
  readonly written: Path;
  /** What becomes of middleware that throws once cronflow has come to the request: found out, not chosen. */
  readonly late: Late | undefined;
  readonly open: (engine: Cronflow, middleware: Middleware) => Promise<App>;
}

/** An app that is served at this address. */
export function appAt(url: URL | string): App {
  return { send: (path, init) => fetch(new URL(path, url), init) };
}

/** The app of a server in Node's manner. */
export async function listening(server: Server): Promise<App> {
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return appAt(`http://127.0.0.1:${port}`);
}
