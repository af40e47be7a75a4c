/** From a request to the run it asks for: what is wrong is told in this order. */
import type { Context } from "hono";
import { milliseconds } from "../../duration.ts";
import { fingerprint } from "../../fingerprint.ts";
import { LIMITS } from "../../native/generated.ts";
import { refuseSecrets } from "../../services/secrets/known.ts";
import { SecretError } from "../../services/secrets/secret-error.ts";
import type { StartRequest } from "../../session.ts";
import type { Verified, Verifier } from "../verify/verifier.ts";
import { readBody } from "./body.ts";
import { keyInvalid, WebhookError } from "./error.ts";
import type { Exchange } from "./exchange.ts";
import { checkRequestHeaders } from "./headers.ts";
import { checkMediaType } from "./media-type.ts";
import { payloadOf } from "./payload.ts";
import type { Webhook } from "./webhook.ts";

/** A run to start, and its payload as a value. */
export interface Received {
  readonly start: StartRequest;
  readonly payload: unknown;
}

/** The condition says that there is nothing to start. */
export const SKIPPED = Symbol("skipped");

/** Throws a `WebhookError` for what is wrong with the request. */
export async function receive(
  webhook: Webhook,
  context: Context,
  exchange: Exchange,
): Promise<Received | typeof SKIPPED> {
  const { workflowId, options, maxBodyBytes, verifier } = webhook;
  const request = context.req.raw;
  const { headers } = request;
  checkMediaType(headers, typeof options.parseRawBody === "function");
  const raw = await readBody(context, maxBodyBytes, (reading) => {
    exchange.reading = reading;
  });
  const verified = verifier === undefined ? undefined : await verify(webhook, verifier, raw, request);
  if (options.headers !== undefined) checkRequestHeaders(headers, options.headers);
  const { payload, text, rawBody } = await payloadOf(options, raw, request);
  if (options.condition !== undefined && !(await options.condition(payload, request))) return SKIPPED;
  const key = options.idempotencyKey?.(request, payload);
  const start: StartRequest = {
    workflowId,
    payload: text,
    trigger: webhook.triggerText(context, rawBody),
    ...(key !== undefined && key !== null && { idempotency: { key: textKey(key), fingerprint: fingerprint(raw) } }),
    ...(verified?.deliveryId !== undefined && { delivery: delivery(verified.deliveryId, verified, raw) }),
  };
  return { start, payload };
}

/** What a verifier found. Throws a 401, which does not say why. */
async function verify(
  { engine, method, path }: Webhook,
  verifier: Verifier,
  raw: Uint8Array,
  request: Request,
): Promise<Verified | undefined> {
  const verdict = await verifier(raw, request, engine.now());
  if (verdict === true) return undefined;
  const isObject = typeof verdict === "object" && verdict !== null;
  if (isObject && verdict.ok === true) return verdict;
  const reason = isObject && verdict.ok === false ? verdict.reason : "the verifier refused it";
  engine.log().warn(`${method} ${path}: a message was refused: ${reason}`);
  throw new WebhookError(401, "signature_invalid", "The signature is not valid.");
}

/** Longer names are known by their hash. */
const LONGEST_DELIVERY_ID = 256;

function delivery(id: string, { ttl }: Verified, raw: Uint8Array): NonNullable<StartRequest["delivery"]> {
  if (typeof id !== "string" || id === "") throw new TypeError("the verifier gave a `deliveryId` that is no text");
  return {
    id: Buffer.byteLength(id) > LONGEST_DELIVERY_ID ? fingerprint(id) : id.toWellFormed(),
    fingerprint: fingerprint(raw),
    ...(ttl !== undefined && { ttlMs: milliseconds(ttl) }),
  };
}

/** What is no text is the fault of the function; the rest, of whoever has sent it. */
function textKey(given: unknown): string {
  if (typeof given !== "string") throw new TypeError(`\`idempotencyKey\` gave a ${typeof given}, no text`);
  const key = given.toWellFormed();
  if (key === "" || Buffer.byteLength(key) > LIMITS.KEY_BYTES) throw keyInvalid();
  try {
    refuseSecrets(key, "idempotency key");
  } catch (error) {
    if (error instanceof SecretError) throw keyInvalid(error);
    throw error;
  }
  return key;
}
