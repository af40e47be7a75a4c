import { InvalidError } from "./errors.ts";
import { shown } from "./shown.ts";

/**
 * A length of time: milliseconds as a number, `"500ms" "30s" "15m" "36h" "3d" "2w"` or several of them (`"1h30m"`),
 * ISO-8601 (`"PT90S"`), or a `Temporal.Duration`.
 */
export type Duration =
  | number
  | string
  | {
      /** How long it is, in this unit. */
      total(unit: "milliseconds"): number;
    };

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/gy;
const ISO =
  /^P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const LONGEST_MS = 100 * 365 * 86_400_000;

/** Whole milliseconds of a duration. Throws an `InvalidError` that shows the value when it is not one. */
export function milliseconds(duration: Duration): number {
  const parsed = parse(duration);
  if (!(parsed >= 0 && parsed <= LONGEST_MS)) {
    throw new InvalidError(
      "value_invalid",
      `${shown(duration)} is not a duration. Write milliseconds (1500), "500ms", "30s", "15m", "36h", "3d", "2w", "1h30m" or ISO-8601 ("PT90S"), up to 100 years.`,
    );
  }
  return Math.round(parsed);
}

function parse(duration: Duration): number {
  if (typeof duration === "number") return duration;
  if (typeof duration !== "string") return duration?.total?.("milliseconds") ?? Number.NaN;
  return duration.startsWith("P") ? parseIso(duration) : parseParts(duration.trim());
}

function parseParts(text: string): number {
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const part = PART.exec(text);
    if (part === null) return Number.NaN;
    total += Number(part[1]) * (UNITS[part[2] as string] as number);
  }
  return text === "" ? Number.NaN : total;
}

function parseIso(text: string): number {
  const parts = ISO.exec(text);
  if (parts === null || /[PT]$/.test(text)) return Number.NaN;
  const [weeks, days, hours, minutes, seconds] = parts.slice(1).map((part) => Number(part ?? 0)) as number[];
  return (
    (weeks ?? 0) * 604_800_000 +
    (days ?? 0) * 86_400_000 +
    (hours ?? 0) * 3_600_000 +
    (minutes ?? 0) * 60_000 +
    (seconds ?? 0) * 1_000
  );
}
