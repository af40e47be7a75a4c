/** What requests are refused with: one shape everywhere. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Issue } from "../schema.ts";

/** What a refusal may say besides its code. */
export interface RefusalDetails {
  /** What is wrong with the input, place by place. */
  readonly issues?: readonly Issue[];
  /** The run that exists all the same. */
  readonly runId?: string;
}

/** Seconds after which it makes sense to try again. */
export const RETRY_AFTER = { "Retry-After": "1" } as const;

/** `{ "error": { "code", "message", "issues"? } }`, with the run's id beside it if there is one. */
export function refuse(
  context: Context,
  status: ContentfulStatusCode,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  { issues, runId }: RefusalDetails = {},
): Response {
  const error = { code, message, ...(issues !== undefined && { issues }) };
  return context.json({ ...(runId !== undefined && { runId }), error }, status, headers);
}
