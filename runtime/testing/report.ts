/** What failed assertions say of a run. */
import type { RecordedError } from "../errors.ts";
import type { RunView, StepResult } from "./run-view.ts";
import { waitTexts } from "./waits.ts";

/** An expectation of a test is not met. The message says what happened instead. */
export class ExpectationError extends Error {
  /** The name of the class. */
  override readonly name = "ExpectationError";
}

/** How a step is, in the middle of a sentence: "failed after 3 attempts: CardError: declined". */
export function stepText({ status, attempts, error, isHandled }: StepResult): string {
  const after = attempts > 1 ? ` after ${attempts} attempts` : "";
  const handled = isHandled ? ", and its onError gave an output" : "";
  switch (status) {
    case "failed":
      return `failed${after}${because(error)}${handled}`;
    case "timed_out":
      return `timed out${after}${handled}`;
    case "completed":
      return `succeeded${after}`;
    case "cancelled":
      return "was cancelled";
    case "interrupted":
      return `was interrupted${after}`;
    case "skipped":
      return "was skipped";
    case "pending":
      return "has not been reached";
    case "waiting":
      return attempts > 0 && error !== undefined
        ? `waits after ${attempts === 1 ? "an attempt" : `${attempts} attempts`}${because(error)}`
        : "waits";
    case "running":
      return "still executes";
  }
}

export function because(error: RecordedError | undefined): string {
  return error === undefined ? "" : `: ${error.name}: ${error.message}`;
}

/** How the run is: "failed: CardError: declined". */
export function runText({ record }: RunView): string {
  const { status, error } = record;
  switch (status) {
    case "completed":
      return `completed with ${shown(record.output)}`;
    case "failed":
      return `failed${because(error)}`;
    case "cancelled":
      return `was cancelled: ${error?.message}`;
    case "stuck":
      return `is stuck: ${error?.message}`;
    case "waiting":
      return "waits";
    case "running":
      return "still executes";
    case "pending":
      return "waits for a slot";
  }
}

/** What stands below a message: where the run is, the steps it has reached, and what it waits for. */
export function situation(view: RunView): string {
  const { record, steps, waits, nowMs } = view;
  const lines = [`The run of \`${record.workflowId}\` ${runText(view)}.`];
  const reached = Object.entries(steps).filter(([, { status }]) => status !== "pending" && status !== "skipped");
  const width = Math.max(0, ...reached.map(([name]) => name.length));
  if (reached.length > 0) lines.push("Steps reached:");
  for (const [name, result] of reached) lines.push(`  ${name.padEnd(width)}  ${stepText(result)}`);
  for (const text of waitTexts(waits, nowMs)) lines.push(`It waits: ${text}`);
  return lines.join("\n");
}

/** A value in a message. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
