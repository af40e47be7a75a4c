/** Chance that can be had again: the same seed gives the same choices. */
export class Random {
  #state: number;

  /** Choices of their own for each number, so that one request can be made again without those before it. */
  constructor(seed: number, number = 0) {
    this.#state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(number + 1, 0xc2b2_ae35);
  }

  /** A whole number from 0, less than `below`. */
  int(below: number): number {
    return Math.floor(this.#next() * below);
  }

  /** Whether something happens that does so in `share` of all cases. */
  chance(share: number): boolean {
    return this.#next() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T;
  }

  /** One of the values, the more often the greater its weight. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let left = this.#next() * list.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of list) {
      left -= weight;
      if (left < 0) return value;
    }
    return this.pick(list)[1];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.int(256));
  }

  word(longest = 8): string {
    return Array.from({ length: 1 + this.int(longest) }, () => WORD[this.int(WORD.length)]).join("");
  }

  /** Mulberry32. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }
}

const WORD = "abcdefghijklmnopqrstuvwxyz0123456789_-";
