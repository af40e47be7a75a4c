/** What can be expected. Each answers what is wrong, or nothing. */
import type { RunStatus } from "../records.ts";
import { because, runText, shown, stepText } from "./report.ts";
import type { RunView, StepResult } from "./run-view.ts";

/** What is wrong, or nothing. */
export type Assertion = (view: RunView) => string | undefined;
/** What an error is told by: a part of its message, a pattern, or its class. */
export type ErrorMatch = string | RegExp | (abstract new (...args: never[]) => Error);

type OfStep = (step: StepResult, view: RunView, name: string) => string | undefined;

/** `name`: a step, or `step@iteration`. */
function ofStep(name: string, assert: OfStep): Assertion {
  return (view) => {
    const step = view.steps[name];
    if (step === undefined) return `expected step \`${name}\`, but the run had no such iteration`;
    return assert(step, view, name);
  };
}

const wanted = (name: string, what: string, step: StepResult): string =>
  `expected step \`${name}\` ${what}, but it ${stepText(step)}`;

export const toSucceed = (name: string): Assertion =>
  ofStep(name, (step) => (step.status === "completed" ? undefined : wanted(name, "to succeed", step)));

export const toFail = (name: string): Assertion =>
  ofStep(name, (step) => (hasFailed(step) ? undefined : wanted(name, "to fail", step)));

export const toFailWith = (name: string, match: ErrorMatch): Assertion =>
  ofStep(name, (step, view) => {
    const what = `to fail with ${matchText(match)}`;
    if (!hasFailed(step)) return wanted(name, what, step);
    return matches(match, step.error, view.thrown.get(name)) ? undefined : wanted(name, what, step);
  });

export const toBeSkipped = (name: string): Assertion =>
  ofStep(name, (step) => (step.status === "skipped" ? undefined : wanted(name, "to be skipped", step)));

export const toHaveBeenCalledTimes = (name: string, times: number): Assertion =>
  ofStep(name, (step, view) => {
    const calls = view.calls.get(name) ?? 0;
    if (calls === times) return undefined;
    return `expected step \`${name}\` to have been called ${counted(times)}, but it was called ${counted(calls)}, and ${stepText(step)}`;
  });

export const toHaveOutput = (name: string, value: unknown): Assertion =>
  ofStep(name, (step) => {
    if (step.status !== "completed" && !step.isHandled) return wanted(name, `to have the output ${shown(value)}`, step);
    if (isSame(step.output, value)) return undefined;
    return `expected step \`${name}\` to have the output ${shown(value)}, but it has ${shown(step.output)}`;
  });

export const runToBe = (status: RunStatus, what: string): Assertion => {
  return (view) => (view.record.status === status ? undefined : `expected the run ${what}, but it ${runText(view)}`);
};

export const runToFailWith = (match: ErrorMatch): Assertion => {
  return (view) => {
    const { status, error } = view.record;
    const thrown = [...view.thrown.values()].at(-1);
    if (status === "failed" && matches(match, error, thrown)) return undefined;
    return `expected the run to fail with ${matchText(match)}, but it ${runText(view)}`;
  };
};

export const runToHaveOutput = (value: unknown): Assertion => {
  return (view) => {
    const { status, output } = view.record;
    if (status === "completed" && isSame(output, value)) return undefined;
    return `expected the run to complete with ${shown(value)}, but it ${runText(view)}`;
  };
};

function hasFailed({ status }: StepResult): boolean {
  return status === "failed" || status === "timed_out";
}

/** Of an error only its name and message are recorded: its class is looked for in what was thrown. */
function matches(match: ErrorMatch, error: StepResult["error"], thrown: unknown): boolean {
  if (error === undefined) return false;
  if (typeof match === "string") return because(error).includes(match);
  if (match instanceof RegExp) return new RegExp(match.source, match.flags.replace(/[gy]/g, "")).test(error.message);
  return thrown instanceof match || error.name === match.name;
}

function matchText(match: ErrorMatch): string {
  if (typeof match === "string") return JSON.stringify(match);
  return match instanceof RegExp ? String(match) : match.name;
}

function counted(times: number): string {
  return times === 1 ? "once" : `${times} times`;
}

/** Whether a recorded value is what another one would be recorded as. */
function isSame(recorded: unknown, value: unknown): boolean {
  const text = JSON.stringify(value);
  return Bun.deepEquals(recorded, text === undefined ? undefined : JSON.parse(text), true);
}
