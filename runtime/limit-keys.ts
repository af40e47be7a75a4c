/** The keys of a run's concurrency and rate limits, which the user's functions make of its payload. */
import type { WorkflowOptions } from "./definition.ts";
import { InvalidError } from "./errors.ts";
import { decode } from "./json.ts";
import { LIMITS } from "./native/generated.ts";
import { masked, refuseSecrets } from "./services/secrets/known.ts";

/** JSON text of each key, where the workflow has such a function. */
export interface LimitKeys {
  readonly concurrency?: string;
  readonly rate?: string;
}

/** Throws an `InvalidError` when a function throws, or gives what is no key. */
export function limitKeys(options: WorkflowOptions | undefined, payload: string | undefined): LimitKeys {
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

/** Of what is no key, in a message. */
const SHOWN_CHARACTERS = 100;

function keyOf(option: string, workflowId: string | undefined, key: () => unknown): string {
  const what = `\`key\` of ${option} of workflow \`${workflowId}\``;
  let found: unknown;
  try {
    found = key();
  } catch (error) {
    throw new InvalidError("value_invalid", masked(`The ${what} threw: ${(error as Error)?.message ?? error}`));
  }
  if (typeof found !== "string" || found === "") {
    const shown = masked(Bun.inspect(found, { depth: 0 })).slice(0, SHOWN_CHARACTERS);
    throw new InvalidError("value_invalid", `The ${what} gave ${shown} instead of a text.`);
  }
  const bytes = Buffer.byteLength(found);
  if (bytes > LIMITS.STATE_KEY_BYTES) {
    const message = `The ${what} gave a text of ${bytes} bytes; a key has at most ${LIMITS.STATE_KEY_BYTES}.`;
    throw new InvalidError("text_invalid", message);
  }
  const text = JSON.stringify(found.toWellFormed());
  refuseSecrets(text, what);
  return text;
}
