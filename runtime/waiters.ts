/** Those who wait for a run to end. */
export class Waiters {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Resolves when the run has ended. Register before looking whether it has, so that no end is missed. */
  ended(runId: string): Promise<void> {
    return new Promise((resolve) => {
      const others = this.#waiting.get(runId);
      if (others === undefined) this.#waiting.set(runId, [resolve]);
      else others.push(resolve);
    });
  }

  has(runId: string): boolean {
    return this.#waiting.has(runId);
  }

  /** The run has ended. */
  notify(runId: string): void {
    const waiting = this.#waiting.get(runId);
    this.#waiting.delete(runId);
    for (const resolve of waiting ?? []) resolve();
  }

  /** Nobody will be told any more; they look once and see for themselves. */
  notifyAll(): void {
    for (const runId of [...this.#waiting.keys()]) this.notify(runId);
  }
}
