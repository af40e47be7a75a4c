/** Asks the user's polls for items when the core says so, and reports what they gave. */
import type { PollTrigger } from "./definition.ts";
import type { Definitions } from "./definitions.ts";
import { milliseconds } from "./duration.ts";
import { InvalidError, type RecordedError } from "./errors.ts";
import { recordedError } from "./failure.ts";
import type { Logger } from "./log.ts";
import type { EffectMessage, ErrorMessage } from "./native/protocol.ts";
import { type LeftOut, type PolledItems, parts, polledItems } from "./poll-items.ts";
import type { Pump } from "./pump.ts";

const DEFAULT_TIMEOUT_MS = 60_000;

/** Items that are named in one line of the log. */
const NAMED = 5;

type Asked = NonNullable<EffectMessage["poll"]>;
type Answer = PolledItems | { readonly error: RecordedError };

export interface PollsOptions {
  readonly pump: Pick<Pump, "send">;
  readonly definitions: Definitions;
  readonly log: Logger;
}

/** The polls that are being asked. */
export class Polls {
  readonly #options: PollsOptions;
  readonly #asking = new Map<number, AbortController>();
  /** Which items each poll left out last, as it was said: it is not said again at every poll. */
  readonly #leftOut = new Map<number, string>();

  constructor(options: PollsOptions) {
    this.#options = options;
  }

  /** Asks a poll, unless it is being asked. */
  ask(asked: Asked): void {
    if (this.#asking.has(asked.schedule)) return;
    const abort = new AbortController();
    this.#asking.set(asked.schedule, abort);
    this.#answer(asked, abort).then((answer) => {
      // Nobody waits for it after a stop: the next process asks the source again.
      if (this.#asking.get(asked.schedule) === abort) return this.#report(asked, answer);
    });
  }

  /** How many are being asked. */
  get asking(): number {
    return this.#asking.size;
  }

  /** Aborts what is being asked. The next process asks its source again. */
  stop(): void {
    const asking = [...this.#asking.values()];
    this.#asking.clear();
    for (const abort of asking) abort.abort(new DOMException("the engine stops", "AbortError"));
  }

  /** What the poll gave, or why it failed. Never rejects. */
  async #answer({ workflow, name }: Asked, abort: AbortController): Promise<Answer> {
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
      return polledItems(await Promise.race([polled, late]), definition?.options);
    } catch (error) {
      if (!abort.signal.aborted || (abort.signal.reason as Error)?.name === "TimeoutError") {
        log.warn(`poll \`${name}\` of workflow \`${workflow}\` failed; it is asked again later`, error);
      }
      return { error: recordedError(error) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Tells the core. Until then the poll is not asked again. */
  #report(asked: Asked, answer: Answer): void {
    if (!("error" in answer)) this.#warn(asked, answer.leftOut);
    this.#send(asked, answersOf(answer));
  }

  /** One part after the other, so that other commands go between them. */
  #send(asked: Asked, answers: Iterator<string>): void {
    const { schedule, workflow, name } = asked;
    const next = answers.next();
    if (next.done === true) {
      this.#asking.delete(schedule);
      return;
    }
    const onResult = (_result: unknown, error: ErrorMessage | undefined): void => {
      if (error !== undefined && error.class !== "unavailable" && error.class !== "unknown_outcome") {
        this.#options.log.error(`what poll \`${name}\` of workflow \`${workflow}\` gave was refused: ${error.message}`);
      }
      // The engine is stopped, or cannot go on: what is not stored is new when the poll is asked again.
      if (error !== undefined && error.class !== "invalid") this.#asking.delete(schedule);
      else this.#send(asked, answers);
    };
    this.#options.pump.send(`{"polled":{"schedule":${schedule},${next.value}}}`, onResult, true);
  }

  /** Says which items start no run: once for as long as they are the same. */
  #warn({ schedule, workflow, name }: Asked, leftOut: readonly LeftOut[]): void {
    const more = leftOut.length > NAMED ? `; and ${leftOut.length - NAMED} more` : "";
    const said = leftOut.slice(0, NAMED).map(({ item, reason }) => `${item}: ${reason}`);
    const text = said.join("; ") + more;
    if (text === (this.#leftOut.get(schedule) ?? "")) return;
    this.#leftOut.set(schedule, text);
    if (leftOut.length === 0) return;
    const what = leftOut.length === 1 ? "an item" : `${leftOut.length} items`;
    this.#options.log.warn(
      `poll \`${name}\` of workflow \`${workflow}\` gave ${what} that cannot start a run, to be tried again at each poll: ${text}`,
    );
  }
}

/** What the core is told, in parts. */
function* answersOf(answer: Answer): Generator<string, void> {
  if ("error" in answer) yield `"error":${JSON.stringify(answer.error)}`;
  else for (const part of parts(answer.texts)) yield `"items":[${part.join(",")}]`;
}
