/** How many webhook requests of one engine wait for their answer: more than a limit are not let in. */
export class Admission {
  #pending = 0;

  constructor(readonly limit: number) {}

  get pending(): number {
    return this.#pending;
  }

  /** Whether there is room for one more; then `leave` must follow. */
  enter(): boolean {
    if (this.#pending >= this.limit) return false;
    this.#pending += 1;
    return true;
  }

  leave(): void {
    this.#pending -= 1;
  }
}
