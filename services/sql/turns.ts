/**
 * SQLite has one connection, which knows one transaction: a statement that comes in between would be a part of it, and
 * would be rolled back with it. So calls go one after the other.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { final } from "../lib/final.ts";

export class Turns {
  readonly #inside = new AsyncLocalStorage<true>();
  #last: Promise<unknown> = Promise.resolve();

  /** Calls when everybody before has ended. Who has the turn cannot wait for another. */
  take<T>(call: () => Promise<T>): Promise<T> {
    if (this.#inside.getStore() === true) {
      throw final("inside of a transaction use what it is given: the service waits until the transaction has ended");
    }
    const turn = this.#last.then(() => this.#inside.run(true, call));
    // Whether it succeeds is not the business of the next.
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** Calls at once: the driver has a connection for each. */
export const AT_ONCE: Pick<Turns, "take"> = { take: (call) => call() };
