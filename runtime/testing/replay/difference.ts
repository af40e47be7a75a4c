/** Where a run that new code has made parts from the recorded one. */
import type { AttemptRecord, RunRecord } from "../../records.ts";
import { nodeKey } from "../../scope.ts";
import { because, shown, stepText } from "../report.ts";
import type { RunView } from "../run-view.ts";
import { keyOf, meaningful, type Recorded } from "./recording.ts";

/** The first thing that is not as it was recorded. */
export interface Difference {
  /** The step, with its iteration inside loops; what of it, if that is not its handler; `run` for how the run ended. */
  readonly path: string;
  /** What is recorded, in words. */
  readonly expected: string;
  /** What the code does now, in words. */
  readonly got: string;
}

const NOT_RECORDED = "nothing: the recorded run never came there";

/** A function was called of which nothing is recorded. */
export function unrecorded(step: string): Difference {
  return { path: step, expected: NOT_RECORDED, got: "its handler is called" };
}

/** @param call The first call of which nothing is recorded, if there was one. */
export function firstDifference(
  recorded: Recorded,
  view: RunView,
  call: Difference | undefined,
): Difference | undefined {
  const now = Map.groupBy(meaningful(view.record.attempts), keyOf);
  const used = new Map<string, number>();
  for (const attempt of meaningful(recorded.record.attempts)) {
    const key = keyOf(attempt);
    const place = used.get(key) ?? 0;
    used.set(key, place + 1);
    const again = now.get(key)?.[place];
    // What follows on a call without a record is missing because of it.
    if (again === undefined) return call ?? missing(attempt, view);
    if (!isSame(attempt, again)) return { path: pathOf(attempt), expected: endText(attempt), got: endText(again) };
  }
  if (call !== undefined || !recorded.hasEnded) return call;
  for (const [key, attempts] of now) {
    const more = attempts[used.get(key) ?? 0];
    if (more !== undefined) return { path: pathOf(more), expected: NOT_RECORDED, got: endText(more) };
  }
  return endDifference(recorded.record, view.record);
}

function missing(attempt: AttemptRecord, view: RunView): Difference {
  const name = nodeKey(attempt.step, attempt.scope);
  const step = view.steps[name] ?? view.steps[attempt.step];
  const got = step === undefined ? "there is no such step" : `it ${stepText(step)}`;
  return { path: pathOf(attempt), expected: endText(attempt), got };
}

function endDifference(before: RunRecord, now: RunRecord): Difference | undefined {
  const [expected, got] = [runText(before), runText(now)];
  return expected === got ? undefined : { path: "run", expected, got };
}

function runText({ status, output, error }: RunRecord): string {
  return status === "completed" ? `${status} with ${shown(output)}` : `${status}${because(error)}`;
}

function isSame(one: AttemptRecord, other: AttemptRecord): boolean {
  return endText(one) === endText(other) && Bun.deepEquals(one.output, other.output);
}

/** How an attempt ended. */
function endText({ status, output, error }: AttemptRecord): string {
  if (error !== undefined) return `${status}${because(error)}`;
  return output === undefined ? status : `${status} with ${shown(output)}`;
}

function pathOf({ step, scope, handler }: AttemptRecord): string {
  const name = nodeKey(step, scope);
  return handler === "body" ? name : `${name} (${handler.replaceAll("_", " ")})`;
}
