/** The items of a poll as the core is told of them: each by itself, so that a bad one is left out and blocks no other. */
import type { WorkflowOptions } from "./definition.ts";
import { InvalidError } from "./errors.ts";
import { encode } from "./json.ts";
import { limitKeys } from "./limit-keys.ts";
import { LIMITS } from "./native/generated.ts";
import { masked, refuseSecrets } from "./services/secrets/known.ts";

/** An item that starts no run. */
export interface LeftOut {
  /** Which: its id, or where it stood if it has none. */
  readonly item: string;
  /** What is wrong with it. */
  readonly reason: string;
}

/** What a poll has given. */
export interface PolledItems {
  /** JSON text of each item that can start a run, in their order. */
  readonly texts: readonly string[];
  /** The others, in their order. */
  readonly leftOut: readonly LeftOut[];
}

/** Throws an `InvalidError` when it is no list, or one of more items than a poll may give. */
export function polledItems(given: unknown, options: WorkflowOptions | undefined): PolledItems {
  if (!Array.isArray(given)) throw new InvalidError("value_invalid", "a poll gives an array of items");
  if (given.length > LIMITS.POLL_ITEMS) {
    const message = `a poll gives at most ${LIMITS.POLL_ITEMS} items, not ${given.length}`;
    throw new InvalidError("value_invalid", message);
  }
  const texts: string[] = [];
  const leftOut: LeftOut[] = [];
  for (let place = 0; place < given.length; place += 1) {
    let item = `the item at place ${place}`;
    try {
      const id = idOf(given[place]);
      item = `item ${JSON.stringify(masked(id).slice(0, SHOWN_CHARACTERS))}`;
      texts.push(itemText(id, given[place], options));
    } catch (error) {
      leftOut.push({ item, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { texts, leftOut };
}

/** Of an id, in a line of the log. */
const SHOWN_CHARACTERS = 100;

function idOf(item: unknown): string {
  const id = (item as { readonly id?: unknown } | null | undefined)?.id;
  if ((typeof id !== "string" && typeof id !== "number") || id === "") {
    throw new InvalidError("value_invalid", "it has no `id` that is a text or a number");
  }
  return String(id).toWellFormed();
}

function itemText(id: string, item: unknown, options: WorkflowOptions | undefined): string {
  const bytes = Buffer.byteLength(id);
  if (bytes > LIMITS.STATE_KEY_BYTES) {
    throw new InvalidError(
      "text_invalid",
      `its \`id\` has ${bytes} bytes, at most ${LIMITS.STATE_KEY_BYTES} are taken`,
    );
  }
  refuseSecrets(id, "id of the item");
  const payload = encode(item, "item");
  const { concurrency, rate } = limitKeys(options, payload);
  const fields = [
    `"id":${JSON.stringify(id)}`,
    ...(payload === undefined ? [] : [`"payload":${payload}`]),
    ...(concurrency === undefined ? [] : [`"concurrency_key":${concurrency}`]),
    ...(rate === undefined ? [] : [`"rate_key":${rate}`]),
  ];
  return `{${fields.join(",")}}`;
}

/** Bytes of items in one command: as many such commands as share a request fit into it. */
const PART_BYTES = LIMITS.REQUEST_BYTES / 8;

/**
 * The items of each command: the core takes several for one poll, each a transaction of its own. At least one, which
 * says that there are no items.
 */
export function* parts(texts: readonly string[], partBytes: number = PART_BYTES): Iterable<readonly string[]> {
  let part: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    const added = Buffer.byteLength(text) + 1;
    if (part.length > 0 && bytes + added > partBytes) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(text);
    bytes += added;
  }
  yield part;
}
