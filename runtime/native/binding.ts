/**
 * The six C functions, behind one class. Both buffers belong to JavaScript and live as long as the core; typed
 * arrays are passed as they are, because a kept pointer goes stale (docs/ARCHITECTURE.md, "The door").
 */
import { type Clock, wallClock } from "../clock.ts";
import { BugError, BusyError, type CronflowError, errorOf, InvalidError, UnavailableError } from "../errors.ts";
import { LIMITS, VERSION } from "./generated.ts";
import { findLibrary, type NativeLibrary } from "./library.ts";
import { type Functions, load } from "./load.ts";
import type { AboutMessage, AnswerMessage, ErrorMessage, ResultMessage } from "./protocol.ts";

const FIRST_BYTES = 64 << 10;

/** What a core is opened with. */
export interface CoreConfig {
  /** Path of the database file, or `:memory:`. */
  readonly database: string;
  readonly durability?: "full" | "relaxed";
  /** Work on the calling thread, in `call`. */
  readonly inline?: boolean;
  /** Tells the run ids of several engines apart: from 0, which is the default, to 255. */
  readonly node?: number;
  /** Whether a socket tells of answers. Default true, where there are socket pairs: not on Windows. */
  readonly wake_up?: boolean;
}

/** One open engine. */
export class Core {
  readonly #functions: Functions;
  readonly #handle: number;
  #input = bytes(FIRST_BYTES);
  #output = bytes(FIRST_BYTES);
  /** What the engine says of itself. */
  readonly about: AboutMessage;

  constructor(
    config: CoreConfig,
    library: NativeLibrary = findLibrary(),
    readonly clock: Clock = wallClock,
  ) {
    this.#functions = load(library.path);
    const length = this.#write(JSON.stringify(config));
    this.#handle = this.#functions.cronflow_open(this.#input, length);
    try {
      this.about = this.ask('{"query":{"about":{}}}') as unknown as AboutMessage;
      check(library, this.about);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Applies a request on this thread's time and gives its answer. */
  call(request: string): AnswerMessage {
    const length = this.#write(request);
    const written = this.#functions.cronflow_call(this.#handle, this.#input, length, this.#output, this.#output.length);
    return this.#read(written) as AnswerMessage;
  }

  /** Applies one command by `call` and gives its result; throws what the engine refused. */
  ask(command: string): ResultMessage {
    return this.askAll([command])[0] as ResultMessage;
  }

  /** The same for several commands in one transaction; throws the first refusal. */
  askAll(commands: readonly string[]): readonly ResultMessage[] {
    const answer = this.call(`{"now_ms":${this.clock.now()},"commands":[${commands.join(",")}]}`);
    const request = answer.requests?.[0];
    const results = request?.results ?? [];
    const error = answer.error ?? request?.error ?? results.map(refusal).find((refused) => refused !== undefined);
    if (error !== undefined) throw errorOf(error.code, error.message);
    return results;
  }

  /** Queues a request; false when the queue is full. */
  submit(request: string): boolean {
    const length = this.#write(request);
    const code = this.#functions.cronflow_submit(this.#handle, this.#input, length);
    if (code === 0) return true;
    if (code === QUEUE_FULL) return false;
    throw doorError(code);
  }

  /** The next committed answer, or none; then the next one writes a byte to `about.wake_fd`. */
  take(): AnswerMessage | undefined {
    const written = this.#functions.cronflow_take(this.#handle, this.#output, this.#output.length);
    return written === 0 ? undefined : (this.#read(written) as AnswerMessage);
  }

  /** Ends the engine; what is queued is committed first. Closing twice does nothing. */
  close(): void {
    this.#functions.cronflow_close(this.#handle);
  }

  #write(text: string): number {
    if (text.length * 3 > this.#input.length) this.#input = bytes(text.length * 3);
    return this.#input.utf8Write(text, 0);
  }

  #read(written: number): unknown {
    if (written < 0) throw doorError(written);
    if (written > this.#output.length) {
      this.#output = bytes(written + (written >> 1));
      return this.#read(this.#functions.cronflow_take(this.#handle, this.#output, this.#output.length));
    }
    return JSON.parse(this.#output.utf8Slice(0, written));
  }
}

/** The library must be of this version, and the very one that its package was made with. */
function check({ path, build }: NativeLibrary, about: AboutMessage): void {
  if (about.version !== VERSION) {
    throw new InvalidError(
      "config_invalid",
      `${path} has version ${about.version}, this cronflow-ffi ${VERSION}: install matching versions.`,
    );
  }
  if (build !== undefined && about.build !== build) {
    throw new InvalidError(
      "config_invalid",
      `${path} is build ${about.build}, its package was made with build ${build}: the file was replaced. Install again.`,
    );
  }
}

/** Why a command was refused, if it was. */
export function refusal(result: ResultMessage | undefined): ErrorMessage | undefined {
  return (result as { refused?: ErrorMessage } | null | undefined)?.refused;
}

// In the typed interface of Bun's Buffer these two are missing.
type Bytes = Buffer & {
  utf8Write(text: string, offset: number): number;
  utf8Slice(start: number, end: number): string;
};

function bytes(length: number): Bytes {
  return Buffer.from(new ArrayBuffer(length)) as Bytes;
}

const QUEUE_FULL = -3;

/** What the negative codes of `native/include/cronflow.h` mean. */
function doorError(code: number): CronflowError {
  switch (code) {
    case -2:
    case -4:
      return new UnavailableError("closed", "The engine is closed.");
    case QUEUE_FULL:
      return new BusyError("queue_full", "Too many requests wait for the engine; try again later.");
    case -5:
      return new BugError("poisoned", "The engine stopped after an internal error; restart the process.");
    case -6:
      return new InvalidError("request_too_large", `A request has at most ${LIMITS.REQUEST_BYTES} bytes.`);
    default:
      return new BugError("invariant_broken", `The native library answered with code ${code}.`);
  }
}
