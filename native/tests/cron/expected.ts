// Writes the tables of expected instants that native/tests/cron/tables.rs compares the core with:
// `bun native/tests/cron/expected.ts`, again when zones have changed.
//
// It shares nothing with the core: the zones are those of this runtime's ICU, the rules are the words of the contract,
// and every minute of every span is walked. So it is slow.

import { join } from "node:path";

interface Span {
  zone: string;
  from: string;
  until: string;
}

const YEARS = { from: "2023-01-01", until: "2029-01-01" };

const SPANS: Span[] = [
  ...[
    "Africa/Cairo",
    "America/Asuncion",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
  ].map((zone) => ({ zone, ...YEARS })),
  // Summer time with breaks. Not longer: for what comes later, newer zones than those of ICU 78 say something else.
  { zone: "Africa/Casablanca", from: "2023-01-01", until: "2026-01-01" },
  // A day that never was (2011-12-30), and gaps at midnight while there was summer time.
  { zone: "Pacific/Apia", from: "2011-01-01", until: "2014-01-01" },
  { zone: "America/Sao_Paulo", from: "2017-01-01", until: "2020-01-01" },
];

const PATTERNS = [
  "30 2 * * *",
  "*/15 2 * * *",
  "15,45 0-3 * * *",
  "0 * * * *",
  "*/20 * * * *",
  "30 0-23 1 * *",
  "0 0 * * *",
  "59 23 * * *",
  "0 9 * * 1-5",
  "0 0 L * *",
  "30 1 * * 2#2",
  "0 12 29 2 *",
  "0 0 1,15 * 5",
  "*/30 29 2 * * 0",
];

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** What the clock on the wall shows, as milliseconds of a calendar without zones. */
function wallClock(zone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  return (instant) => {
    const shown = format.format(instant);
    const digits = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)$/.exec(shown);
    if (digits === null) throw new Error(`unexpected form: ${shown}`);
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = digits.slice(1).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute);
  };
}

interface Pattern {
  text: string;
  isHourly: boolean;
  seconds: number[];
  /** Whether it matches some second of this minute of wall-clock time. */
  matches: (wall: number) => boolean;
}

/** The numbers of a field: `*`, `1`, `1-5`, lists of these, and steps through all numbers. */
function numbers(field: string, low: number, high: number): Set<number> {
  const all = Array.from({ length: high - low + 1 }, (_, place) => low + place);
  const item = (text: string): number[] => {
    const step = /^\*\/(\d+)$/.exec(text);
    if (step !== null) return all.filter((number) => (number - low) % Number(step[1]) === 0);
    const [first = 0, last = first] = text.split("-").map(Number);
    return text === "*" ? all : all.filter((number) => number >= first && number <= last);
  };
  return new Set(field.split(",").flatMap(item));
}

function readPattern(text: string): Pattern {
  const fields = text.split(" ");
  const [second = "", minute = "", hour = "", dayOfMonth = "", month = "", dayOfWeek = ""] =
    fields.length === 6 ? fields : ["0", ...fields];
  const [minutes, hours, months] = [numbers(minute, 0, 59), numbers(hour, 0, 23), numbers(month, 1, 12)];
  const isDayOfMonth = dayOfMonthMatcher(dayOfMonth);
  const isDayOfWeek = dayOfWeekMatcher(dayOfWeek);
  const isDay = (date: Date): boolean => {
    if (dayOfMonth === "*" || dayOfWeek === "*") return isDayOfMonth(date) && isDayOfWeek(date);
    return isDayOfMonth(date) || isDayOfWeek(date);
  };
  return {
    text,
    isHourly: hours.size === 24,
    seconds: [...numbers(second, 0, 59)],
    matches: (wall) => {
      const date = new Date(wall);
      if (!minutes.has(date.getUTCMinutes()) || !hours.has(date.getUTCHours())) return false;
      return months.has(date.getUTCMonth() + 1) && isDay(date);
    },
  };
}

function dayOfMonthMatcher(field: string): (date: Date) => boolean {
  if (field === "L") return (date) => new Date(date.getTime() + DAY_MS).getUTCDate() === 1;
  const days = numbers(field, 1, 31);
  return (date) => days.has(date.getUTCDate());
}

function dayOfWeekMatcher(field: string): (date: Date) => boolean {
  const nth = /^(\d)#(\d)$/.exec(field);
  if (nth === null) {
    const days = numbers(field, 0, 6);
    return (date) => days.has(date.getUTCDay());
  }
  const [day, week] = [Number(nth[1]), Number(nth[2])];
  return (date) => date.getUTCDay() === day && Math.ceil(date.getUTCDate() / 7) === week;
}

/** All instants of all patterns in a span, in order. */
function walk(span: Span, patterns: Pattern[]): Map<Pattern, number[]> {
  const [from, until] = [Date.parse(span.from), Date.parse(span.until)];
  const wallAt = wallClock(span.zone);
  const instants = new Map<Pattern, number[]>(patterns.map((pattern) => [pattern, []]));
  const shown = new Set<number>();
  // A day before the span, so that it is known what the wall has shown already.
  let before = wallAt(from - DAY_MS - MINUTE_MS);
  for (let instant = from - DAY_MS; instant < until; instant += MINUTE_MS) {
    const wall = wallAt(instant);
    const skipped = range(before + MINUTE_MS, wall);
    const isFirst = !shown.has(wall);
    shown.add(wall);
    before = wall;
    if (instant < from) continue;
    for (const [pattern, list] of instants) list.push(...firesAt(pattern, instant, wall, skipped, isFirst));
  }
  return instants;
}

/** The instants within one minute, by the words of the contract. */
function firesAt(pattern: Pattern, instant: number, wall: number, skipped: number[], isFirst: boolean): number[] {
  const matching = () => (pattern.matches(wall) ? pattern.seconds.map((second) => instant + second * 1_000) : []);
  // Hourly patterns follow real hours.
  if (pattern.isHourly) return matching();
  // One that occurs twice fires once, the first time.
  const own = isFirst ? matching() : [];
  // A wall-clock time that does not exist fires at the first instant after the gap.
  return skipped.some(pattern.matches) && own[0] !== instant ? [instant, ...own] : own;
}

function range(from: number, until: number): number[] {
  const minutes: number[] = [];
  for (let minute = from; minute < until; minute += MINUTE_MS) minutes.push(minute);
  return minutes;
}

/** Lines `first day of a run of equal days, their number, their times`, all in UTC. Days without instants are left out. */
function toLines(instants: number[]): string[] {
  const days = Map.groupBy(instants, (instant) => Math.floor(instant / DAY_MS));
  const runs: { first: number; count: number; times: string }[] = [];
  for (const [day, list] of days) {
    const times = list.map((instant) => toTime(instant - day * DAY_MS)).join(" ");
    const run = runs.at(-1);
    if (run !== undefined && run.first + run.count === day && run.times === times) run.count += 1;
    else runs.push({ first: day, count: 1, times });
  }
  return runs.map(({ first, count, times }) => `${toDate(first * DAY_MS)} ${count} ${times}`);
}

function toDate(instant: number): string {
  return new Date(instant).toISOString().slice(0, 10);
}

function toTime(ofDay: number): string {
  const time = new Date(ofDay).toISOString().slice(11, 19);
  return time.endsWith(":00") ? time.slice(0, 5) : time;
}

for (const span of SPANS) {
  const sections = [...walk(span, PATTERNS.map(readPattern))].map(([pattern, instants]) =>
    [`[${pattern.text}]`, ...toLines(instants), ""].join("\n"),
  );
  const name = `${span.zone.replace("/", "-")}-${span.from.slice(0, 4)}.txt`;
  const head = `${span.zone} ${span.from} ${span.until}\n\n`;
  await Bun.write(join(import.meta.dir, "expected", name), head + sections.join("\n"));
}
