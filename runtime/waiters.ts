/** A run's end, as far as this process knows it without reading. */
export interface Ended {
  /** The recorded output of a completed run that this process has executed itself; absent otherwise. */
  readonly completed?: { readonly output: string | undefined };
}

type Resolve = (ended: Ended) => void;

/** Those who wait for a run to end. */
export class Waiters {
  readonly #waiting = new Map<string, Set<Resolve>>();

  /**
   * Resolves when the run has ended, or the signal is aborted: nobody waits any longer. Register before looking whether
   * it has, so that no end is missed.
   */
  ended(runId: string, signal?: AbortSignal): Promise<Ended> {
    return new Promise((resolve) => {
      const others = this.#waiting.get(runId);
      if (others === undefined) this.#waiting.set(runId, new Set([resolve]));
      else others.add(resolve);
      signal?.addEventListener("abort", () => this.#leave(runId, resolve), { once: true });
    });
  }

  /** How many wait. */
  get count(): number {
    let count = 0;
    for (const waiting of this.#waiting.values()) count += waiting.size;
    return count;
  }

  /** The run has ended. */
  notify(runId: string, ended: Ended): void {
    const waiting = this.#waiting.get(runId);
    if (waiting === undefined) return;
    this.#waiting.delete(runId);
    for (const resolve of waiting) resolve(ended);
  }

  /** Nobody will be told any more; they look and see for themselves. */
  notifyAll(): void {
    for (const runId of [...this.#waiting.keys()]) this.notify(runId, {});
  }

  #leave(runId: string, resolve: Resolve): void {
    const waiting = this.#waiting.get(runId);
    if (waiting === undefined) return;
    waiting.delete(resolve);
    if (waiting.size === 0) this.#waiting.delete(runId);
    resolve({});
  }
}
