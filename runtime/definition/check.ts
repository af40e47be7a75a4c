/** What may be said in a definition. An error names the workflow, the place, and what to do. */
import { type Duration, milliseconds } from "../duration.ts";
import { InvalidError } from "../errors.ts";
import { shown } from "../shown.ts";

export { shown } from "../shown.ts";

/** Of what is only bounded by the width of the number: 32 bits. */
export const LARGEST_COUNT = 0xffff_ffff;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export function invalid(message: string): InvalidError {
  return new InvalidError("definition_invalid", message);
}

export function checkName(what: string, name: unknown): void {
  if (typeof name !== "string" || !NAME.test(name)) {
    throw invalid(`The ${what} ${shown(name)} is not of the form [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}.`);
  }
}

/** Whole milliseconds; `where` begins the message: "Workflow `x`, step `y`". */
export function checkDuration(where: string, option: string, duration: Duration, leastMs = 0): number {
  let parsed: number;
  try {
    parsed = milliseconds(duration);
  } catch (error) {
    throw invalid(`${where}: \`${option}\`: ${(error as Error).message}`);
  }
  if (parsed < leastMs) throw invalid(`${where}: \`${option}\` is ${shown(duration)}; give at least ${leastMs} ms.`);
  return parsed;
}

/** A whole number within bounds. */
export function checkWhole(where: string, option: string, value: unknown, least: number, most: number): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    throw invalid(
      `${where}: \`${option}\` is ${shown(value)}; give a whole number from ${least.toLocaleString("en-US")} to ${most.toLocaleString("en-US")}.`,
    );
  }
  return value as number;
}

export function checkFunction(where: string, what: string, value: unknown): void {
  if (typeof value !== "function") throw invalid(`${where}: ${what} is ${shown(value)}; give a function.`);
}
