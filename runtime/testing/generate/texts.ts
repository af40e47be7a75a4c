/** Texts: of a format, by a pattern, or any. Edges come often: the shortest, the longest, and what code forgets. */
import type { JsonSchema } from "./json-schema.ts";
import { textOf } from "./pattern.ts";
import type { Random } from "./random.ts";
import type { Aim } from "./value.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const FORGOTTEN = ["", " ", "0", "null", "é", "😀", '"\\', "<b>", "a\nb", "__proto__"];
/** How often a pattern is tried before its text is given as it is. */
const TRIES = 50;
/** From 1970 to 2100. */
const LAST_MS = Date.UTC(2100, 0, 1);
const EDGE_MS = [0, Date.UTC(2000, 1, 29), Date.UTC(2026, 11, 31, 23, 59, 59, 999), LAST_MS - 1];

export function text(schema: JsonSchema, random: Random, aim: Aim): string {
  const { format, pattern, minLength = 0, maxLength = minLength + 12 } = schema;
  const fits = (made: string): boolean =>
    made.length >= minLength && made.length <= (schema.maxLength ?? Number.POSITIVE_INFINITY) && matches(pattern, made);
  const make = FORMATS[format ?? ""];
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    if (make !== undefined) {
      const made = make(random);
      if (fits(made)) return made;
    }
    if (pattern !== undefined) {
      const made = textOf(pattern, random);
      if (fits(made)) return made;
    }
    if (make === undefined && pattern === undefined) break;
  }
  const length = aim === "least" ? minLength : aim === "most" ? maxLength : random.whole(minLength, maxLength);
  const forgotten = FORGOTTEN.filter((candidate) => candidate.length >= minLength && candidate.length <= maxLength);
  if (aim === "any" && forgotten.length > 0 && random.chance(0.3)) return random.pick(forgotten);
  return word(random, length);
}

function matches(pattern: string | undefined, made: string): boolean {
  return pattern === undefined || new RegExp(pattern, "u").test(made);
}

function word(random: Random, length: number): string {
  return Array.from({ length }, () => random.pick([...LETTERS])).join("");
}

function moment(random: Random): Date {
  return new Date(random.chance(0.3) ? random.pick(EDGE_MS) : random.whole(0, LAST_MS));
}

function hex(random: Random, length: number): string {
  return Array.from({ length }, () => random.whole(0, 15).toString(16)).join("");
}

function byte(random: Random): number {
  return random.chance(0.2) ? random.pick([0, 255]) : random.whole(0, 255);
}

const host = (random: Random): string => `${word(random, random.whole(1, 8))}.example.com`;
const url = (random: Random): string => `https://${host(random)}/${word(random, random.whole(0, 6))}`;
const dateTime = (random: Random): string => moment(random).toISOString();

const FORMATS: Readonly<Record<string, (random: Random) => string>> = {
  email: (random) => `${word(random, random.whole(1, 8))}@${host(random)}`,
  uuid: (random) => `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-8${hex(random, 3)}-${hex(random, 12)}`,
  uri: url,
  url,
  hostname: host,
  "date-time": dateTime,
  date: (random) => dateTime(random).slice(0, 10),
  time: (random) => dateTime(random).slice(11, 19),
  duration: (random) => `PT${random.whole(0, 86_400)}S`,
  ipv4: (random) => Array.from({ length: 4 }, () => byte(random)).join("."),
  ipv6: (random) => Array.from({ length: 8 }, () => hex(random, 4)).join(":"),
  base64: (random) => btoa(word(random, random.whole(0, 12))),
};
