/** The real core on the thread of the test, over a store in memory. */
import type { Clock } from "../clock.ts";
import { Core } from "../native/binding.ts";
import { findLibrary } from "../native/library.ts";

export class InlineCore extends Core {
  readonly #onSubmit: () => void;

  /**
   * @param node Engines of different nodes have different run ids; those of the same have the same in the same order.
   * @param onSubmit Called after each request: the engine has moved.
   */
  constructor(clock: Clock, node: number, onSubmit: () => void) {
    super({ database: ":memory:", inline: true, node }, findLibrary(), clock);
    this.#onSubmit = onSubmit;
  }

  override submit(request: string): boolean {
    const isTaken = super.submit(request);
    this.#onSubmit();
    return isTaken;
  }
}
