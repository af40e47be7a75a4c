/** A time that only moves when a test moves it. */
import type { Clock } from "../clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly call: () => void;
}

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  /** @param nowMs Milliseconds since 1970. */
  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { dueMs: this.#nowMs + ms, call };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** When the next timer is due. */
  get next(): number | undefined {
    return this.#earliest()?.dueMs;
  }

  /** Moves on, never back, and calls what is due by then, earliest first. Gives whether anything was. */
  moveTo(ms: number): boolean {
    this.#nowMs = Math.max(this.#nowMs, ms);
    let isAnyDue = false;
    for (let timer = this.#earliest(); timer !== undefined && timer.dueMs <= this.#nowMs; timer = this.#earliest()) {
      this.#timers.delete(timer);
      timer.call();
      isAnyDue = true;
    }
    return isAnyDue;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (earliest === undefined || timer.dueMs < earliest.dueMs) earliest = timer;
    }
    return earliest;
  }
}
