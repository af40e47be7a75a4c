import type { Random } from "./random.ts";

/** The latest values, as many as there is room for. */
export class Ring {
  readonly #values: string[] = [];
  #next = 0;

  constructor(readonly room: number) {}

  add(value: string): void {
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % this.room;
  }

  /** One of them, or what is given if there are none. */
  pick(random: Random, otherwise: string): string {
    return this.#values.length === 0 ? otherwise : random.pick(this.#values);
  }
}
