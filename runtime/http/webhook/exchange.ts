import type { Deadline, Deadlines } from "./deadlines.ts";

/** One request until its run is started, it is refused, or its time is over. */
export class Exchange {
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  /** The body, while it is read piece by piece. */
  reading: Reading | undefined;
  #isLate = false;

  constructor(deadlines: Deadlines, onExpired: () => void) {
    this.#deadlines = deadlines;
    this.#deadline = deadlines.open(() => {
      this.#isLate = true;
      onExpired();
      this.reading?.cancel().catch(() => {}); // The sender may have left.
    });
  }

  /** Whether the time was over before it was closed: that was answered, and nothing is started any more. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** From now on time does not run out. */
  close(): void {
    this.#deadlines.close(this.#deadline);
  }
}

/** What nobody waits for any more is cancelled. */
export interface Reading {
  cancel(): Promise<void>;
}
