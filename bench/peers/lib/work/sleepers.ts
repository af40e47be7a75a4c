/** Runs that sleep for an hour. */
import type { Engine } from "../engine.ts";
import type { Answers, Commands } from "../protocol.ts";
import { within } from "../time.ts";

/** Starts that wait for their acknowledgement at a time. */
const AT_ONCE = 256;

/** Lets timers and sockets have their turn: a start that is a call of SQLite would keep the engine's own loop waiting. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

export class Sleepers {
  #asleep = 0;
  #wanted = Number.POSITIVE_INFINITY;
  readonly #all = Promise.withResolvers<void>();

  /** One run more sleeps. */
  asleep(): void {
    this.#asleep += 1;
    if (this.#asleep >= this.#wanted) this.#all.resolve();
  }

  async start(engine: Engine, { count, milliseconds }: Commands["sleepers"]): Promise<Answers["sleepers"]> {
    this.#wanted = count;
    const began = performance.now();
    let started = 0;
    let acknowledged = 0;
    const lane = async (): Promise<void> => {
      while (started < count && performance.now() - began < milliseconds) {
        started += 1;
        await engine.sleep?.(started);
        acknowledged += 1;
        await turn();
      }
    };
    const starting = Promise.all(Array.from({ length: AT_ONCE }, lane)).then(() => this.#all.promise);
    await within(milliseconds, starting);
    return { acknowledged, asleep: this.#asleep, seconds: (performance.now() - began) / 1_000 };
  }
}
