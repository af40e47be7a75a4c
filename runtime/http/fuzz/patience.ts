/** How long an answer is waited for, in seconds in which this process ran: one that was stopped meanwhile blames nobody. */
export class Patience {
  readonly #waiting = new Set<Waiting>();
  readonly #clock: NodeJS.Timeout;

  constructor(readonly seconds: number) {
    this.#clock = setInterval(() => this.#second(), 1_000);
  }

  /** Calls `onOver` unless what it gives is called before. */
  begin(onOver: () => void): () => void {
    const waiting = { left: this.seconds, onOver };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  end(): void {
    clearInterval(this.#clock);
  }

  #second(): void {
    for (const waiting of this.#waiting) {
      waiting.left -= 1;
      if (waiting.left > 0) continue;
      this.#waiting.delete(waiting);
      waiting.onOver();
    }
  }
}

interface Waiting {
  left: number;
  readonly onOver: () => void;
}
