/** From the bytes of a body to the payload of a run. */

import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { CronflowError } from "../../errors.ts";
import { encode } from "../../json.ts";
import { parse } from "../../schema.ts";
import { SecretError } from "../../services/secrets/secret-error.ts";
import { NOT_VALID, payloadInvalid } from "./error.ts";
import { parseJson, textOf } from "./json-body.ts";

/** A payload that is right. */
export interface Payload {
  readonly payload: unknown;
  /** As it is recorded. */
  readonly text: string | undefined;
  /** The body's text, if that is asked for. */
  readonly rawBody: string | undefined;
}

/** Throws a 400 for what is wrong. */
export async function payloadOf(options: WebhookOptions, raw: Uint8Array, request: Request): Promise<Payload> {
  const { schema, parseRawBody } = options;
  let rawBody: string | undefined;
  let payload: unknown;
  if (typeof parseRawBody === "function") {
    payload = await parsedBy(parseRawBody, raw, request);
  } else {
    const body = textOf(raw);
    if (parseRawBody === true) rawBody = body;
    payload = parseJson(body);
  }
  if (schema !== undefined) {
    const parsing = parse(schema, payload);
    const parsed = parsing instanceof Promise ? await parsing : parsing;
    if ("issues" in parsed) throw payloadInvalid(parsed.issues);
    payload = parsed.value;
  }
  if (options.validate !== undefined) await validate(options, payload, request);
  return { payload, text: recorded(payload), rawBody };
}

async function parsedBy(
  parseRawBody: (raw: Uint8Array, request: Request) => unknown,
  raw: Uint8Array,
  request: Request,
): Promise<unknown> {
  try {
    return await parseRawBody(raw, request);
  } catch (error) {
    throw payloadInvalid([{ path: "$", message: messageOf(error) }]);
  }
}

/** Throws what the user's function finds wrong. */
async function validate(options: WebhookOptions, payload: unknown, request: Request): Promise<void> {
  let message: string | undefined;
  try {
    const verdict = await options.validate?.(payload, request);
    if (verdict !== true && verdict !== undefined) message = verdict === false ? NOT_VALID : String(verdict);
  } catch (error) {
    message = messageOf(error);
  }
  if (message !== undefined) throw payloadInvalid([{ path: "$", message }]);
}

/**
 * A payload with a secret in it is never recorded; its sender hears what `validate` says when it says nothing else. What
 * remains is that he is refused, where another guess starts a run: who may send without a signature can try values that
 * way, a body full of them at a time. A secret of some length is not found so; and `verify` keeps strangers out.
 */
function recorded(payload: unknown): string | undefined {
  try {
    return encode(payload, "payload");
  } catch (error) {
    if (error instanceof SecretError) throw payloadInvalid([{ path: "$", message: NOT_VALID }], error);
    if (error instanceof CronflowError) throw payloadInvalid([{ path: "$", message: error.message }]);
    throw error;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
