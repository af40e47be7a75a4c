/** The keys of a run's concurrency and rate limits, which the user's functions make of its payload. */
import type { WorkflowOptions } from "./definition.ts";
import { InvalidError } from "./errors.ts";
import { decode } from "./json.ts";

/** JSON text of each key, where the workflow has such a function. */
export function limitKeys(
  options: WorkflowOptions | undefined,
  payload: string | undefined,
): { readonly concurrency?: string; readonly rate?: string } {
  const concurrency = typeof options?.concurrency === "object" ? options.concurrency : undefined;
  const rateLimit = options?.rateLimit;
  return {
    ...(concurrency?.key !== undefined && {
      concurrency: keyOf("concurrency", options?.id, () => concurrency.key?.(decode(payload))),
    }),
    ...(rateLimit?.key !== undefined && {
      rate: keyOf("rateLimit", options?.id, () => rateLimit.key?.(decode(payload))),
    }),
  };
}

function keyOf(option: string, workflowId: string | undefined, key: () => unknown): string {
  let found: unknown;
  try {
    found = key();
  } catch (error) {
    const message = `The \`key\` of ${option} of workflow \`${workflowId}\` threw: ${(error as Error)?.message ?? error}`;
    throw new InvalidError("value_invalid", message);
  }
  if (typeof found !== "string" || found === "") {
    const message = `The \`key\` of ${option} of workflow \`${workflowId}\` gave ${JSON.stringify(found)} instead of a text.`;
    throw new InvalidError("value_invalid", message);
  }
  return JSON.stringify(found.toWellFormed());
}
