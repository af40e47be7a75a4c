/** The connection a request came by: who is at the other end, and how long it may be idle. Headers such as `X-Forwarded-For` are not asked: anybody can write them. */
import type { Context } from "hono";

/** Whether a request comes from this machine; `undefined` when nobody knows. */
export function isLocal(context: Context): boolean | undefined {
  const server = serverOf(context);
  const address = hasField(server, "incoming") ? ofNode(server.incoming) : ofBun(server, context.req.raw);
  return address === undefined ? undefined : LOOPBACK.test(String(address));
}

/** Lets a connection be idle as long as its answer takes: Bun ends others after some time. */
export function keepOpen(context: Context): void {
  const server = serverOf(context);
  if (hasField(server, "timeout") && typeof server.timeout === "function") server.timeout(context.req.raw, 0);
}

/** The routes' own server, or that of an app they are mounted in, as Bun or Hono hand it on. */
function serverOf({ env }: Context): unknown {
  return hasField(env, "server") ? env.server : env;
}

/** Of the request that a server in Node's manner has, as `@hono/node-server` hands it on. */
function ofNode(incoming: unknown): unknown {
  const socket = hasField(incoming, "socket") ? incoming.socket : undefined;
  return hasField(socket, "remoteAddress") ? socket.remoteAddress : undefined;
}

function ofBun(server: unknown, request: Request): unknown {
  if (!hasField(server, "requestIP") || typeof server.requestIP !== "function") return undefined;
  const peer: unknown = server.requestIP(request);
  return hasField(peer, "address") ? peer.address : undefined;
}

/** IPv4, IPv4 within IPv6, IPv6. */
const LOOPBACK = /^(?:(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1)$/i;

function hasField<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === "object" && value !== null && name in value;
}
