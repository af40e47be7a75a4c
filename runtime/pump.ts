/**
 * Commands down, answers up. Commands of one turn of the event loop travel in one request; the core answers each
 * commit once. Nothing here knows what a command means.
 */
import { CronflowError, errorOf } from "./errors.ts";
import { type Core, refusal } from "./native/binding.ts";
import { LIMITS } from "./native/generated.ts";
import type { AnswerMessage, EffectMessage, ErrorMessage, ResultMessage } from "./native/protocol.ts";
import { NONE, wakeUpOf } from "./wake-up.ts";

/** Called with a command's result, or with why it was refused. */
export type OnResult = (result: ResultMessage, error: ErrorMessage | undefined) => void;

interface Command {
  readonly text: string;
  readonly onResult: OnResult;
  /** Sent again while the engine cannot take it, instead of failing. */
  readonly insist: boolean;
  /** Travels in a request of its own. */
  readonly isAlone?: boolean;
}

const NOT_SENT: ErrorMessage = { code: "closed", class: "unavailable", message: "The engine is stopped." };
const NOT_ANSWERED: ErrorMessage = {
  code: "call_timeout",
  class: "unknown_outcome",
  message: "The engine was stopped before it answered; it may have done what was asked.",
};

const COMMANDS_PER_REQUEST = 4_096;
/** Commands after which a request does not wait for the end of the turn. */
const FULL_REQUEST = 32;
/** So few that a request of them has room for all, whatever they are encoded as. */
const CHARACTERS_PER_REQUEST = 8 << 20;
/** What a request says besides its commands: numbers. */
const ENVELOPE_BYTES = 256;
/** Bytes of the largest command. */
const COMMAND_BYTES = LIMITS.REQUEST_BYTES - ENVELOPE_BYTES;
/** Bytes that a character of a JavaScript text has in UTF-8, at the most. */
const BYTES_PER_CHARACTER = 3;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 2_000;
/** `setTimeout` fires at once for anything longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How often the clock is looked at: timers stand still while a machine sleeps, and do not see a clock that is set. */
const LOOK_MS = 30_000;

/** Nobody waits for the result. */
const NOTHING: OnResult = () => {};

export interface PumpOptions {
  readonly core: Core;
  /** Carries out what the core has committed. */
  readonly onEffect: (effect: EffectMessage) => void;
  /** Which attempts this process executes: asked when effects may have been lost with a failed commit. */
  readonly executing: () => Iterable<readonly [run: string, sequence: number]>;
  /** The connection to the core is broken for good. */
  readonly onFailure: (error: Error) => void;
}

/** The traffic between one engine and its core. */
export class Pump {
  readonly #options: PumpOptions;
  readonly #core: Core;
  #queue: Command[] = [];
  readonly #sent = new Map<number, Command[]>();
  #seq = 0;
  #capacity: number | undefined;
  /** What was offered last: a request that is refused may not have said it. */
  #offered: number | undefined;
  #isFlushing = false;
  #stopTimer = (): void => {};
  #wakeAtMs = Number.POSITIVE_INFINITY;
  /** A timer of the core is due: it wants a request, if only an empty one. */
  #isDue = false;
  #pause: Timer | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #wakeUp = NONE;
  #isClosed = false;
  /** What a command hears that comes when nothing is sent any more. */
  #notSent = NOT_SENT;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#core = options.core;
  }

  /** Begins to listen for the core's answers. */
  async open(): Promise<void> {
    this.#wakeUp = await wakeUpOf(
      this.#core,
      () => this.drain(),
      (error) => this.#fail(error),
    );
    this.drain();
  }

  /**
   * Queues a command. `insist`: it is sent again while storage fails, because its result exists nowhere else. What no
   * request can hold is refused at once, before it comes among the others.
   */
  send(text: string, onResult: OnResult, insist = false): void {
    if (this.#isClosed) return onResult(null, this.#notSent);
    // Almost every command is so short that its bytes need not be counted.
    if (text.length * BYTES_PER_CHARACTER > COMMAND_BYTES) {
      const bytes = Buffer.byteLength(text);
      if (bytes > COMMAND_BYTES) return onResult(null, tooLarge(bytes));
    }
    this.#queue.push({ text, onResult, insist });
    // A full request goes at once, so that the engine works while this turn goes on.
    if (this.#queue.length >= FULL_REQUEST && this.#pause === undefined && !this.#isClosed) this.#submitQueued();
    else this.#schedule();
  }

  /** The same as a promise. */
  ask<Result extends ResultMessage>(text: string, insist = false): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onResult: OnResult = (result, error) =>
        error === undefined ? resolve(result as Result) : reject(errorOf(error.code, error.message));
      this.send(text, onResult, insist);
    });
  }

  /** Offers the core this many slots. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
    this.#offered = capacity;
    this.#schedule();
  }

  /** How much the core has not answered, or not been told yet. */
  get unanswered(): number {
    return this.#queue.length + this.#sent.size + (this.#capacity !== undefined || this.#isDue ? 1 : 0);
  }

  /** Takes in everything the core has committed. */
  drain(): void {
    if (this.#isClosed) return;
    try {
      for (let answer = this.#core.take(); answer !== undefined; answer = this.#core.take()) this.#receive(answer);
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#wakeUp.hold(this.#sent.size > 0);
  }

  /** Sends nothing more. Commands without an answer are refused. */
  close(): void {
    this.#end(NOT_ANSWERED, NOT_SENT);
  }

  /** Whoever waits for an answer, or asks for one later, is told why there is none. */
  #end(notAnswered: ErrorMessage, notSent: ErrorMessage): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#notSent = notSent;
    this.#stopTimer();
    clearTimeout(this.#pause);
    this.#wakeUp.close();
    const sent = [...this.#sent.values()].flat();
    const queued = this.#queue;
    this.#sent.clear();
    this.#queue = [];
    for (const command of sent) command.onResult(null, notAnswered);
    for (const command of queued) command.onResult(null, notSent);
  }

  #schedule(): void {
    if (this.#isFlushing || this.#isClosed || this.#pause !== undefined) return;
    this.#isFlushing = true;
    // An inline core works while it is called: there is nothing to be done beside it.
    if (this.#core.about.inline) queueMicrotask(this.#flush);
    else setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#isFlushing = false;
    if (this.#isClosed) return;
    // What has been committed meanwhile is taken in now, without a wake-up.
    this.drain();
    this.#submitQueued();
  };

  #submitQueued(): void {
    if (this.#isClosed) return;
    try {
      while (this.#queue.length > 0 || this.#capacity !== undefined || this.#isDue) {
        if (!this.#submit(this.#nextCommands())) return this.#rest();
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#wakeUp.hold(this.#sent.size > 0);
  }

  #nextCommands(): Command[] {
    if (this.#queue[0]?.isAlone === true) return this.#queue.splice(0, 1);
    let characters = 0;
    let count = 0;
    while (count < this.#queue.length && count < COMMANDS_PER_REQUEST) {
      const command = this.#queue[count] as Command;
      if (command.isAlone === true) break;
      characters += command.text.length;
      // The first goes however long it is: a request of its own can hold it.
      if (count > 0 && characters > CHARACTERS_PER_REQUEST) break;
      count += 1;
    }
    return count === this.#queue.length ? this.#queue.splice(0) : this.#queue.splice(0, count);
  }

  #submit(commands: Command[]): boolean {
    const seq = this.#seq + 1;
    const capacity = this.#capacity === undefined ? "" : `,"capacity":${this.#capacity}`;
    const texts = commands.map((command) => command.text).join(",");
    let isQueued = false;
    try {
      isQueued = this.#core.submit(
        `{"seq":${seq},"now_ms":${this.#core.clock.now()}${capacity},"commands":[${texts}]}`,
      );
    } finally {
      // Also when it threw: what is in no queue would never be answered.
      if (!isQueued) this.#queue.unshift(...commands);
    }
    if (!isQueued) return false;
    this.#capacity = undefined;
    this.#isDue = false;
    this.#seq = seq;
    this.#sent.set(seq, commands);
    if (this.#core.about.inline) this.#schedule();
    return true;
  }

  #receive(answer: AnswerMessage): void {
    if (answer.error !== undefined) throw errorOf(answer.error.code, answer.error.message);
    for (const { seq, results, error } of answer.requests ?? []) {
      // Only what is no request at all has no number: whoever sent it would wait for ever.
      if (seq === 0 && error !== undefined) throw errorOf(error.code, error.message);
      const commands = this.#sent.get(seq) ?? [];
      this.#sent.delete(seq);
      if (error !== undefined) this.#refused(commands, error);
      else this.#answered(seq, commands, results ?? []);
    }
    for (const effect of answer.effects ?? []) this.#options.onEffect(effect);
    this.#wake(answer.wake_at_ms);
  }

  #answered(seq: number, commands: Command[], results: ResultMessage[]): void {
    this.#pauseMs = FIRST_PAUSE_MS;
    const unread: Command[] = [];
    let told = 0;
    try {
      while (told < commands.length) {
        const result = results[told] as ResultMessage;
        const command = commands[told] as Command;
        told += 1;
        const refused = result === null ? undefined : refusal(result);
        if (refused?.code === "answers_full") unread.push(command);
        else command.onResult(result, refused);
      }
    } finally {
      // One of them threw, which breaks the connection: the others hear of that.
      if (told < commands.length) this.#sent.set(seq, commands.slice(told));
      this.#askAgain(unread);
    }
  }

  /** Questions for whose answers there was no room in their commit: in the next one there is. */
  #askAgain(questions: Command[]): void {
    if (questions.length === 0) return;
    if (!this.#isClosed) {
      this.#queue.unshift(...questions);
      return this.#schedule();
    }
    for (const question of questions) question.onResult(null, this.#notSent);
  }

  /** Nothing of the request was recorded. */
  #refused(commands: Command[], error: ErrorMessage): void {
    const isDamaged = error.class === "corrupt" || error.class === "bug";
    if (isDamaged && commands.length > 1) {
      // One of them met what is damaged; alone, the others are done.
      this.#queue.unshift(...commands.map((command) => ({ ...command, isAlone: true })));
    } else if (error.class === "unavailable") {
      // Results of handlers exist nowhere else: they are sent again.
      this.#queue.unshift(...commands.filter((command) => command.insist));
      for (const command of commands) if (!command.insist) command.onResult(null, error);
    } else {
      for (const command of commands) command.onResult(null, error);
    }
    if (!isDamaged && error.class !== "unavailable") return;
    this.#capacity ??= this.#offered;
    this.#askForEffects();
    this.#rest();
  }

  /** Effects of a failed commit were never given out; this asks for them, once for all commits that have failed. */
  #askForEffects(): void {
    if (this.#queue.some((command) => command.onResult === NOTHING)) return;
    const executing = JSON.stringify([...this.#options.executing()]);
    this.#queue.push({
      text: `{"heartbeat":{"executing":${executing}}}`,
      onResult: NOTHING,
      insist: false,
      isAlone: true,
    });
  }

  /** Waits before it sends again: the queue is full or storage fails. */
  #rest(): void {
    this.#pause ??= setTimeout(() => {
      this.#pause = undefined;
      this.#schedule();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #wake(atMs: number | undefined): void {
    const wakeAtMs = atMs ?? Number.POSITIVE_INFINITY;
    if (wakeAtMs === this.#wakeAtMs) return;
    this.#wakeAtMs = wakeAtMs;
    this.#stopTimer();
    if (atMs === undefined || this.#isClosed) return;
    const { clock, about } = this.#core;
    // A core in this thread goes by a clock that a test moves.
    const longestMs = about.inline ? LONGEST_TIMER_MS : LOOK_MS;
    const inMs = Math.min(Math.max(atMs - clock.now(), 0), longestMs);
    this.#stopTimer = clock.after(inMs, () => {
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      if (clock.now() < atMs) return this.#wake(atMs);
      this.#isDue = true;
      // While storage fails it waits with the rest.
      if (this.#pause === undefined) this.#submitQueued();
    });
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    const failure = asMessage(error);
    const message = `The engine broke down before it answered; it may have done what was asked: ${failure.message}`;
    this.#end({ ...NOT_ANSWERED, message }, failure);
    this.#options.onFailure(error);
  }
}

/** A broken connection, as an answer. */
function asMessage(error: Error): ErrorMessage {
  if (error instanceof CronflowError) return { code: error.code, class: error.kind, message: error.message };
  return { code: "invariant_broken", class: "bug", message: String(error) };
}

function tooLarge(bytes: number): ErrorMessage {
  const message = `This has ${bytes} bytes, and at most ${COMMAND_BYTES} can be recorded at once.`;
  return { code: "request_too_large", class: "invalid", message };
}
