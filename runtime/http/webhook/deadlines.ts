/**
 * Deadlines that are all equally far away: the oldest is due first, so one timer serves all of them, and a request that
 * is quick costs none.
 */
export class Deadlines {
  readonly #lengthMs: () => number;
  /** In the order in which they are due. */
  readonly #open = new Set<Deadline>();
  #timer: NodeJS.Timeout | undefined;

  constructor(lengthMs: () => number) {
    this.#lengthMs = lengthMs;
  }

  /** Calls `onExpired` when the time is over, unless `close` came before. */
  open(onExpired: () => void): Deadline {
    const lengthMs = this.#lengthMs();
    const deadline = { dueMs: performance.now() + lengthMs, onExpired };
    this.#open.add(deadline);
    if (this.#timer === undefined) this.#arm(lengthMs);
    else if (this.#open.size === 1) this.#timer.ref();
    return deadline;
  }

  /** Its time does not run out any more. */
  close(deadline: Deadline): void {
    const wasOpen = this.#open.delete(deadline);
    // The timer runs on for those who come later, but the process does not live for it.
    if (wasOpen && this.#open.size === 0) this.#timer?.unref();
  }

  #arm(inMs: number): void {
    this.#timer = setTimeout(() => this.#expire(), Math.min(inMs, LONGEST_TIMER_MS));
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const deadline of this.#open) {
      if (deadline.dueMs > nowMs) return this.#arm(deadline.dueMs - nowMs);
      this.#open.delete(deadline);
      deadline.onExpired();
    }
  }
}

export interface Deadline {
  readonly dueMs: number;
  readonly onExpired: () => void;
}

/** What `setTimeout` can wait. */
const LONGEST_TIMER_MS = 0x7fff_ffff;
