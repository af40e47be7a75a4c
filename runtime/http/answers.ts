/** What requests are refused with: one shape everywhere. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Issue } from "../schema.ts";
import { masked } from "../services/secrets/known.ts";

/** What a refusal may say besides its code. */
export interface RefusalDetails {
  /** What is wrong with the input, place by place. */
  readonly issues?: readonly Issue[];
  /** The run that exists all the same. */
  readonly runId?: string;
}

/** Seconds after which it makes sense to try again. */
export const RETRY_AFTER = { "Retry-After": "1" } as const;

/** What is said of a refusal: without any secret, whoever has put it into a message. */
export interface RefusalError {
  readonly code: string;
  readonly message: string;
  readonly issues?: readonly Issue[];
}

/** The one way from what went wrong to what a sender is told of it. */
export function refusalError(code: string, message: string, issues?: readonly Issue[]): RefusalError {
  return {
    code,
    message: masked(message),
    ...(issues !== undefined && {
      issues: issues.map((issue) => ({ path: masked(issue.path), message: masked(issue.message) })),
    }),
  };
}

/** `{ "error": { "code", "message", "issues"? } }`, with the run's id beside it if there is one. */
export function refuse(
  context: Context,
  status: ContentfulStatusCode,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
  { issues, runId }: RefusalDetails = {},
): Response {
  const error = refusalError(code, message, issues);
  return context.json({ ...(runId !== undefined && { runId }), error }, status, headers);
}
