/** Asks the user's polls for items when the core says so, and reports what they gave. */
import type { PollItem, PollTrigger } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { milliseconds } from "./duration.ts";
import { InvalidError } from "./errors.ts";
import { recordedError } from "./failure.ts";
import { encode } from "./json.ts";
import { limitKeys } from "./limit-keys.ts";
import type { Logger } from "./log.ts";
import type { EffectMessage } from "./native/protocol.ts";
import type { Pump } from "./pump.ts";

const DEFAULT_TIMEOUT_MS = 60_000;

type Asked = NonNullable<EffectMessage["poll"]>;

export interface PollsOptions {
  readonly pump: Pick<Pump, "send">;
  readonly definitions: Definitions;
  readonly log: Logger;
}

/** The polls that are being asked. */
export class Polls {
  readonly #options: PollsOptions;
  readonly #asking = new Map<number, AbortController>();

  constructor(options: PollsOptions) {
    this.#options = options;
  }

  /** Asks a poll, unless it is being asked. */
  ask(asked: Asked): void {
    if (this.#asking.has(asked.schedule)) return;
    const abort = new AbortController();
    this.#asking.set(asked.schedule, abort);
    this.#answer(asked, abort).then((answer) => {
      // Nobody waits for it after a stop: the next start asks again.
      if (this.#asking.get(asked.schedule) === abort) this.#report(asked, answer);
    });
  }

  /** How many are being asked. */
  get asking(): number {
    return this.#asking.size;
  }

  /** Aborts what is being asked. It is asked again by the next start. */
  stop(): void {
    const asking = [...this.#asking.values()];
    this.#asking.clear();
    for (const abort of asking) abort.abort(new DOMException("the engine stops", "AbortError"));
  }

  /** What the core is told: items or an error. Never rejects. */
  async #answer({ workflow, name }: Asked, abort: AbortController): Promise<string> {
    const { log, definitions } = this.#options;
    let timer: Timer | undefined;
    try {
      const definition = definitions.current(workflow);
      const isIt = (trigger: { type: string; name?: string }): boolean =>
        trigger.type === "poll" && trigger.name === name;
      const trigger = definition?.triggers.find(isIt) as PollTrigger | undefined;
      if (trigger === undefined)
        throw new InvalidError("definition_invalid", `\`${workflow}\` has no poll \`${name}\``);
      const { promise: late, reject } = Promise.withResolvers<never>();
      abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
      timer = setTimeout(
        () => abort.abort(new DOMException("the poll took longer than its timeout", "TimeoutError")),
        milliseconds(trigger.options.timeout ?? DEFAULT_TIMEOUT_MS),
      );
      const polled = (async () => trigger.poll({ signal: abort.signal, log }))();
      const items = await Promise.race([polled, late]);
      return `"items":${itemsText(items, (payload) => limitKeys(definition?.options, payload))}`;
    } catch (error) {
      if (!abort.signal.aborted || (abort.signal.reason as Error)?.name === "TimeoutError") {
        log.warn(`poll \`${name}\` of workflow \`${workflow}\` failed; it is asked again later`, error);
      }
      return `"error":${JSON.stringify(recordedError(error))}`;
    } finally {
      clearTimeout(timer);
    }
  }

  #report({ schedule, workflow, name }: Asked, answer: string): void {
    const command = `{"polled":{"schedule":${schedule},${answer}}}`;
    const onResult = (_result: unknown, error: { code: string; message: string } | undefined): void => {
      this.#asking.delete(schedule);
      if (error !== undefined && error.code !== "closed") {
        this.#options.log.error(
          `the items of poll \`${name}\` of workflow \`${workflow}\` were refused: ${error.message}`,
        );
      }
    };
    this.#options.pump.send(command, onResult, true);
  }
}

type Keys = ReturnType<typeof limitKeys>;

function itemsText(items: readonly PollItem[], keysOf: (payload: string | undefined) => Keys): string {
  if (!Array.isArray(items)) throw new InvalidError("value_invalid", "a poll gives an array of items");
  const texts = items.map((item, place) => {
    const id: unknown = item?.id;
    if ((typeof id !== "string" && typeof id !== "number") || id === "") {
      throw new InvalidError("value_invalid", `item ${place} of the poll has no \`id\` that is a text or a number`);
    }
    const payload = encode(item, `item ${place} of the poll`);
    const keys = keysOf(payload);
    const concurrency = keys.concurrency === undefined ? "" : `,"concurrency_key":${keys.concurrency}`;
    const rate = keys.rate === undefined ? "" : `,"rate_key":${keys.rate}`;
    return `{"id":${JSON.stringify(String(id).toWellFormed())},"payload":${payload}${concurrency}${rate}}`;
  });
  return `[${texts.join(",")}]`;
}
