/** Makes of what users write the functions the core asks for: each takes the context alone. Sync stays sync. */
import type { AnyContext } from "../context.ts";
import type { AnyHandler } from "../definition.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { parse, type Schema } from "../schema.ts";
import { shown } from "../shown.ts";
import { isPlaceholder } from "./placeholder.ts";

/** A moment: a `Date`, milliseconds since 1970, or an ISO-8601 text. */
export type Moment = Date | number | string;
export type Filter = (event: never, context: never) => unknown;

/** The number of the first branch whose condition holds; how many there are when none does. */
export function firstTrue(conditions: readonly AnyHandler[]): AnyHandler {
  const from = (first: number, context: AnyContext): number | PromiseLike<number> => {
    for (const [index, condition] of conditions.entries()) {
      if (index < first) continue;
      const answer = condition(context);
      if (isThenable(answer)) return answer.then((holds) => (holds ? index : from(index + 1, context)));
      if (answer) return index;
    }
    return conditions.length;
  };
  return (context) => from(0, context);
}

export function oneOrZero(condition: AnyHandler): AnyHandler {
  return (context) => mapped(condition(context), (holds) => (holds ? 1 : 0));
}

/** A value that is given, or a function that makes it. A part of a loop's item is a value, although it can be called. */
export function valueOr(given: unknown): AnyHandler {
  return typeof given === "function" && !isPlaceholder(given) ? (given as AnyHandler) : () => given;
}

export function durationMs(duration: AnyHandler): AnyHandler {
  return (context) => mapped(duration(context), (value) => milliseconds(value as Duration));
}

export function momentMs(moment: AnyHandler): AnyHandler {
  return (context) => mapped(moment(context), (value) => millisecondsSince1970(value as Moment));
}

/** Throws an `InvalidError` that shows the value when it is no moment. */
export function millisecondsSince1970(moment: Moment): number {
  const isMoment = moment instanceof Date || typeof moment === "number" || typeof moment === "string";
  const at = isMoment ? new Date(moment).getTime() : Number.NaN;
  if (Number.isNaN(at)) {
    throw new InvalidError(
      "value_invalid",
      `${shown(moment)} is not a moment. Give a Date, milliseconds since 1970, or ISO-8601 ("2027-01-31T09:00:00Z").`,
    );
  }
  return at;
}

/** Which events a wait is for: those that match the schema, and of these those that the filter takes. */
export function eventFilter(event: string, schema: Schema | undefined, filter: Filter | undefined): AnyHandler {
  const isWanted = (context: AnyContext): unknown =>
    filter === undefined || mapped(filter(context.event as never, context as never), Boolean);
  if (schema === undefined) return isWanted;
  return async (context) => {
    const parsed = await parse(schema, context.event);
    if ("value" in parsed) return isWanted(context);
    context.log.warn(`an event \`${event}\` does not match the schema of the wait for it`, parsed.issues);
    return false;
  };
}

function mapped<T>(value: unknown, change: (value: unknown) => T): T | PromiseLike<T> {
  return isThenable(value) ? value.then(change) : change(value);
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
