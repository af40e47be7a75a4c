/** How long to wait for others. */
export class Patience {
  /** Resolves when it is at its end. */
  readonly over: Promise<void>;
  readonly #timer: Timer;

  constructor(ms: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#timer = setTimeout(resolve, ms);
  }

  /** Whether something was done in time. What is done at once is so also at the end of the patience. */
  async has(something: Promise<unknown>): Promise<boolean> {
    const late = this.over.then(() => new Promise<false>((resolve) => setImmediate(() => resolve(false))));
    return Promise.race([something.then(() => true), late]);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
