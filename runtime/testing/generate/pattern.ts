/** Texts that match a regular expression: alternatives, groups, classes, quantifiers and back references. */
import type { Random } from "./random.ts";

/** Repetitions of `*`, `+` and `{n,}` beyond the least. */
const MORE = 4;
const CLASSES: Readonly<Record<string, string>> = {
  d: "0123456789",
  w: "abcxyzABCXYZ0189_",
  s: " \t",
  D: "abz -_",
  W: " -!.",
  S: "abzXY09",
};
const PRINTABLE = Array.from({ length: 95 }, (_, code) => String.fromCharCode(32 + code));

/** A text that may match: what look-around asks for is not looked at. */
export function textOf(pattern: string, random: Random): string {
  return new Writer(pattern, random).alternatives();
}

class Writer {
  readonly #pattern: string;
  readonly #random: Random;
  readonly #groups: string[] = [];
  readonly #names = new Map<string, number>();
  #at = 0;

  constructor(pattern: string, random: Random) {
    this.#pattern = pattern;
    this.#random = random;
  }

  /** One of the alternatives up to the end of the group. All are read, one is taken. */
  alternatives(): string {
    const texts = [this.#sequence()];
    while (this.#take("|")) texts.push(this.#sequence());
    return this.#random.pick(texts);
  }

  #sequence(): string {
    let text = "";
    while (this.#at < this.#pattern.length && !"|)".includes(this.#peek())) text += this.#repeated();
    return text;
  }

  /** An atom with its quantifier: it is read again for each repetition. */
  #repeated(): string {
    const begin = this.#at;
    const groups = this.#groups.length;
    const first = this.#atom();
    const end = this.#at;
    const [least, most] = this.#quantifier();
    const after = this.#at;
    const times = this.#random.whole(least, most);
    if (times === 0) return "";
    let text = first;
    for (let time = 1; time < times; time += 1) {
      this.#at = begin;
      this.#groups.length = groups;
      text += this.#atom();
    }
    this.#at = Math.max(after, end);
    return text;
  }

  #atom(): string {
    const character = this.#pattern[this.#at++] as string;
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return this.#random.pick(this.#class());
      case "\\":
        return this.#escape();
      case ".":
        return this.#random.pick(PRINTABLE);
      case "^":
      case "$":
        return "";
      default:
        return character;
    }
  }

  #group(): string {
    const isLookAround = /^\?<?[=!]/.test(this.#pattern.slice(this.#at));
    const head = /^\?(?::|<?[=!]|<(\w+)>)/.exec(this.#pattern.slice(this.#at));
    this.#at += head?.[0].length ?? 0;
    const isCaptured = head === null || head[1] !== undefined;
    const number = this.#groups.length;
    if (isCaptured) this.#groups.push("");
    if (head?.[1] !== undefined) this.#names.set(head[1], number);
    const text = this.alternatives();
    this.#take(")");
    if (isCaptured) this.#groups[number] = text;
    return isLookAround ? "" : text;
  }

  #class(): readonly string[] {
    const isNegated = this.#take("^");
    const characters: string[] = [];
    while (this.#at < this.#pattern.length && this.#peek() !== "]") {
      const from = this.#classAtom();
      if (from.length === 1 && this.#peek() === "-" && this.#pattern[this.#at + 1] !== "]") {
        this.#at += 1;
        characters.push(...range(from, this.#classAtom()));
      } else {
        characters.push(...from);
      }
    }
    this.#take("]");
    const others = isNegated ? PRINTABLE.filter((character) => !characters.includes(character)) : characters;
    return others.length === 0 ? [""] : others;
  }

  #classAtom(): string {
    const character = this.#pattern[this.#at++] as string;
    if (character !== "\\") return character;
    const escaped = this.#pattern[this.#at] as string;
    if (escaped in CLASSES) {
      this.#at += 1;
      return CLASSES[escaped] as string;
    }
    if (escaped !== "b") return this.#escape();
    this.#at += 1;
    return "\b";
  }

  #escape(): string {
    const escaped = this.#pattern[this.#at++] as string;
    if (escaped in CLASSES) return this.#random.pick([...(CLASSES[escaped] as string)]);
    const coded = /^(?:x([\da-fA-F]{2})|u\{([\da-fA-F]+)\}|u([\da-fA-F]{4}))/.exec(this.#pattern.slice(this.#at - 1));
    if (coded !== null) {
      this.#at += coded[0].length - 1;
      return String.fromCodePoint(Number.parseInt((coded[1] ?? coded[2] ?? coded[3]) as string, 16));
    }
    if (/[1-9]/.test(escaped)) return this.#groups[this.#number(escaped) - 1] ?? "";
    const named = escaped === "k" ? /^<(\w+)>/.exec(this.#pattern.slice(this.#at)) : null;
    if (named !== null) {
      this.#at += named[0].length;
      return this.#groups[this.#names.get(named[1] as string) ?? -1] ?? "";
    }
    return { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v", b: "", B: "" }[escaped] ?? escaped;
  }

  #number(first: string): number {
    let digits = first;
    while (/\d/.test(this.#peek())) digits += this.#pattern[this.#at++];
    return Number(digits);
  }

  #quantifier(): [least: number, most: number] {
    const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})/.exec(this.#pattern.slice(this.#at));
    if (found === null) return [1, 1];
    this.#at += found[0].length;
    this.#take("?");
    const [sign, least, comma, most] = found;
    if (sign === "*") return [0, MORE];
    if (sign === "+") return [1, 1 + MORE];
    if (sign === "?") return [0, 1];
    const few = Number(least);
    return [few, comma === "" ? few : most === "" ? few + MORE : Number(most)];
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? "";
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at += 1;
    return true;
  }
}

/** Both ends, and some of what is between. */
function range(from: string, to: string): string[] {
  const [first, last] = [from.codePointAt(0) as number, to.codePointAt(0) as number];
  const step = Math.max(1, Math.floor((last - first) / 64));
  const codes = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);
  return [...codes, last].map((code) => String.fromCodePoint(code));
}
