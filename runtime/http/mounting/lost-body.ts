import type { IncomingMessage } from "node:http";

/** Whether somebody has taken the body, and not left its bytes: what is made of them again would not be what was signed. */
export function isBodyLost(incoming: IncomingMessage & { readonly rawBody?: unknown }): boolean {
  return hasBody(incoming) && incoming.readableDidRead && !Buffer.isBuffer(incoming.rawBody);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
