/**
 * Checks what calls of the engine are given. The compiler knows it all, but not everybody asks it; and what is no text
 * would make a command of what is no JSON.
 */
import { type Duration, milliseconds } from "./duration.ts";
import { InvalidError } from "./errors.ts";
import { fingerprint } from "./fingerprint.ts";
import { LIMITS } from "./native/generated.ts";
import type { ListOptions, RunStatus } from "./records.ts";
import type { StartRequest } from "./session.ts";
import { shown } from "./shown.ts";

const STATUSES: readonly RunStatus[] = ["pending", "running", "waiting", "completed", "failed", "cancelled", "stuck"];

/** How a run begins, as users say it. */
interface Beginning {
  readonly idempotencyKey?: string;
  readonly delay?: Duration;
  readonly priority?: number;
}

/** @param payload JSON text. */
export function startFields(
  options: Beginning,
  payload: string | undefined,
): Pick<StartRequest, "idempotency" | "delayMs" | "priority"> {
  checkObject("the options", options);
  const { idempotencyKey: key, delay, priority } = options;
  if (key !== undefined) checkText("idempotencyKey", key);
  if (priority !== undefined) checkWhole("priority", priority, -LIMITS.PRIORITY, LIMITS.PRIORITY);
  return {
    ...(key !== undefined && { idempotency: { key, fingerprint: fingerprint(payload ?? "") } }),
    ...(delay !== undefined && { delayMs: durationMs("delay", delay) }),
    ...(priority !== undefined && { priority }),
  };
}

/** Which runs the core is asked for. */
export function listQuery(options: ListOptions): Record<string, unknown> {
  checkObject("the options", options);
  const { workflowId, status, since, limit, cursor } = options;
  if (workflowId !== undefined) checkText("workflowId", workflowId);
  if (status !== undefined && !STATUSES.includes(status))
    throw wrong("status", status, `one of ${STATUSES.join(", ")}`);
  if (limit !== undefined) checkLimit(limit);
  if (cursor !== undefined) checkText("cursor", cursor);
  return { workflow: workflowId, status, since_ms: since === undefined ? undefined : sinceMs(since), limit, cursor };
}

function sinceMs(since: Date | number): number {
  const ms = since instanceof Date ? since.getTime() : since;
  if (!Number.isFinite(ms)) throw wrong("since", since, "a Date, or milliseconds since 1970");
  return Math.ceil(ms);
}

export function checkLimit(limit: number): void {
  checkWhole("limit", limit, 1, LIMITS.LIST_ROWS);
}

/** What may be said in an answer to a request for approval. */
export function checkAnswer(answer: { readonly approved?: boolean }): void {
  checkObject("the answer", answer);
  const { approved } = answer;
  if (approved !== undefined && typeof approved !== "boolean") throw wrong("approved", approved, "true or false");
}

export function checkText(what: string, text: string): void {
  if (typeof text !== "string" || !text.isWellFormed()) throw wrong(what, text, "a text");
}

export function checkObject(what: string, value: object): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw new InvalidError("value_invalid", `${what} of the call: ${shown(value)} is given; give an object.`);
}

function checkWhole(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw wrong(what, value, `a whole number from ${least} to ${most}`);
}

function durationMs(what: string, duration: Duration): number {
  try {
    return milliseconds(duration);
  } catch (error) {
    throw error instanceof InvalidError ? new InvalidError(error.code, `\`${what}\`: ${error.message}`) : error;
  }
}

function wrong(what: string, value: unknown, instead: string): InvalidError {
  return new InvalidError("value_invalid", `\`${what}\` is ${shown(value)}; give ${instead}.`);
}
