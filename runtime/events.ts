/** Which workflows an event starts runs of. */
import type { EventTrigger } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { decode, encode } from "./json.ts";
import { limitKeys } from "./limit-keys.ts";
import type { Logger } from "./log.ts";
import { parse } from "./schema.ts";
import { masked } from "./services/secrets/known.ts";
import type { StartRequest } from "./session.ts";

/** What became of an event that was published. */
export interface PublishedEvent {
  /** The runs it has started, of each workflow that listens. */
  readonly runIds: readonly string[];
  /**
   * Workflows that listen, and could not take it: it does not fit their schema, or their filter or the `key` of one of
   * their limits threw.
   */
  readonly refused: readonly {
    /** The workflow that was left out. */
    readonly workflowId: string;
    /** Why, as it is logged. */
    readonly message: string;
  }[];
}

export interface Listeners {
  readonly starts: readonly StartRequest[];
  readonly refused: PublishedEvent["refused"];
}

/**
 * All runs of an event are started, or none: so whatever would refuse one of them is found out here, and its workflow
 * left out.
 *
 * @param text What the event says, as it is recorded.
 */
export async function listenersOf(
  definitions: Definitions,
  event: string,
  text: string | undefined,
  log: Logger,
): Promise<Listeners> {
  const starts: StartRequest[] = [];
  const refused: { workflowId: string; message: string }[] = [];
  const trigger = JSON.stringify({ type: "event", event });
  for (const { id: workflowId, triggers, options } of definitions.currents()) {
    try {
      const payload = await firstThatTakes(
        triggers.filter((other) => other.type === "event" && other.event === event),
        text,
      );
      if (payload === undefined) continue;
      starts.push({ workflowId, payload: payload.text, trigger, keys: limitKeys(options, payload.text) });
    } catch (error) {
      const message = masked(error instanceof Error ? error.message : String(error));
      log.warn(`event ${JSON.stringify(event)} starts no run of workflow \`${workflowId}\`: ${message}`);
      refused.push({ workflowId, message });
    }
  }
  return { starts, refused };
}

/** The payload by the first trigger that takes the event: a workflow is started once, however often it listens. */
async function firstThatTakes(
  triggers: readonly unknown[],
  text: string | undefined,
): Promise<{ readonly text: string | undefined } | undefined> {
  let refusal: Error | undefined;
  for (const { options } of triggers as readonly EventTrigger[]) {
    const payload = await parsed(options, decode(text));
    if (payload instanceof Error) refusal = payload;
    else if (options.filter?.(payload.value) !== false) return { text: encode(payload.value, "payload of the event") };
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

async function parsed({ schema }: EventTrigger["options"], value: unknown): Promise<{ value: unknown } | Error> {
  if (schema === undefined) return { value };
  const result = await parse(schema, value);
  if ("value" in result) return result;
  return new Error(result.issues.map(({ path, message }) => `${path}: ${message}`).join("; "));
}
