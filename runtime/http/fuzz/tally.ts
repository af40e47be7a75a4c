/** How often what was answered: it shows whether requests came in at all. */
import type { Seen } from "./judge.ts";

export class Tally {
  readonly #answers = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  /** Requests of which no `Request` can be made. */
  unmade = 0;
  /** Requests on a socket that were answered by nothing but its end, or by the server itself. */
  cutOff = 0;

  add(name: string, { status, text }: Seen): void {
    const code = status >= 400 ? (/"code":"(\w+)"/.exec(text)?.[1] ?? "") : "";
    const answer = `${status} ${code}`.trim();
    this.#answers.set(answer, (this.#answers.get(answer) ?? 0) + 1);
    const taken = this.#taken.get(name) ?? 0;
    this.#taken.set(name, status < 400 ? taken + 1 : taken);
  }

  /** Answers by status and code. */
  get answers(): ReadonlyMap<string, number> {
    return this.#answers;
  }

  /** How many requests of each kind were answered with success. */
  get taken(): ReadonlyMap<string, number> {
    return this.#taken;
  }

  /** Requests answered with this status. */
  of(status: number): number {
    const counts = [...this.#answers].filter(([answer]) => answer.startsWith(`${status}`));
    return counts.reduce((sum, [, count]) => sum + count, 0);
  }

  table(): string {
    const rows = [...this.#answers].sort(([one], [other]) => one.localeCompare(other));
    const all: [string, number][] = [
      ...rows,
      ["no valid Request", this.unmade],
      ["cut off by the server", this.cutOff],
    ];
    const line = ([what, count]: [string, number]) => `${count.toLocaleString("en").padStart(12)}  ${what}`;
    const kinds = [...this.#taken].sort(([one], [other]) => one.localeCompare(other));
    return [...all.map(line), "", "of these with success:", ...kinds.map(line)].join("\n");
  }
}
