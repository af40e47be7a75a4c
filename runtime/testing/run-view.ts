/** A run as a test looks at it: what is recorded, step by step, and what it waits for. */
import type { TriggerInfo } from "../context.ts";
import type { Definition, NodeSpec } from "../definition.ts";
import type { RecordedError } from "../errors.ts";
import type { AttemptRecord, RunRecord, RunStatus, StepStatus } from "../records.ts";
import { nodeKey } from "../scope.ts";
import { endedBy, type Place } from "./ended-by.ts";
import { branchesOf, inside } from "./nodes.ts";
import type { WaitMessage } from "./waits.ts";

/**
 * How far a step is. Besides how attempts end: `skipped`, the run went past it; `pending`, the run is not there yet;
 * `waiting`, for a time, an event, a person or a child; `running`.
 */
export type StepState = StepStatus | "skipped" | "pending" | "waiting" | "running";

/** What became of a step. */
export interface StepResult<Output = unknown> {
  /** How its last attempt ended, even if `onError` then gave an output. */
  readonly status: StepState;
  /** What it gave, as it was recorded; `undefined` if it gave nothing. In a loop: of its last iteration. */
  readonly output: Output | undefined;
  /** What its last attempt threw. */
  readonly error: RecordedError | undefined;
  /** Whether `onError` has given its output. */
  readonly isHandled: boolean;
  /** Ended attempts of its handler, those included in which the process died. */
  readonly attempts: number;
  /** In a loop: what became of it in each iteration, by the iteration (`"3"`, `"3.17"`). */
  readonly iterations: Readonly<Record<string, StepResult<Output>>>;
}

/** What became of a run. `Steps` maps names to `{ output }`, as `ctx.steps` does. */
export interface TestResult<Output = unknown, Steps = unknown> {
  /** The id of the run. */
  readonly runId: string;
  /** Where it is. */
  readonly status: RunStatus;
  /** What it gave; `undefined` unless it has completed. */
  readonly output: Output | undefined;
  /** Why it failed, was cancelled or is stuck. */
  readonly error: RecordedError | undefined;
  /** What it was started with. */
  readonly payload: unknown;
  /** What started it. */
  readonly trigger: TriggerInfo;
  /** Every node of the workflow by name; `name@iteration` inside loops, too. */
  readonly steps: StepResults<Steps>;
  /** Every ended attempt, in order. */
  readonly history: readonly AttemptRecord[];
  /** What it waits for, in words. */
  readonly waits: readonly string[];
}

type OutputOfStep<Step> = NonNullable<Step> extends { readonly output: infer O } ? O : unknown;
/** The results of all steps. Those without an output in `ctx.steps`, such as actions, are there too. */
export type StepResults<Steps> = { readonly [Name in keyof Steps]-?: StepResult<OutputOfStep<Steps[Name]>> } & {
  readonly [name: string]: StepResult<unknown>;
};

/** What is known of a run, for assertions and for messages. */
export interface RunView {
  readonly definition: Definition;
  readonly record: RunRecord;
  readonly waits: readonly WaitMessage[];
  readonly nowMs: number;
  readonly steps: Readonly<Record<string, StepResult>>;
  /** How often the function of a step was called, by its name and by `name@iteration`. */
  readonly calls: ReadonlyMap<string, number>;
  /** What the function of a step threw last, by its name and by `name@iteration`. */
  readonly thrown: ReadonlyMap<string, unknown>;
}

const ENDED: ReadonlySet<RunStatus> = new Set<RunStatus>(["completed", "failed", "cancelled", "stuck"]);

export function stepResults(
  definition: Definition,
  record: RunRecord,
  waits: readonly WaitMessage[],
): Record<string, StepResult> {
  const passed = passedOver(definition.sequence.nodes, record);
  const end = endedBy(definition, record);
  const places = [...record.attempts, ...waits, ...(end === undefined ? [] : [end])];
  const results: Record<string, StepResult> = {};
  for (const [name, node] of definition.nodes) {
    const rows = Map.groupBy(
      record.attempts.filter(({ step }) => step === name),
      ({ scope }) => scope,
    );
    const waiting = waits.filter(({ step }) => step === name);
    const scopes = new Set([...rows.keys(), ...waiting.map(({ scope = "" }) => scope)]);
    const reached = [...scopes].map((scope): readonly [string, StepResult] => {
      const waitsHere = waiting.filter((wait) => (wait.scope ?? "") === scope);
      return [scope, resultOf(rows.get(scope) ?? [], waitsHere)];
    });
    if (end?.step === name) reached.push([end.scope, SUCCEEDED]);
    for (const [scope, result] of reached) if (scope !== "") results[nodeKey(name, scope)] = result;
    const absent = passed.has(node) ? "skipped" : withoutRows(record.status, isEntered(node, places));
    results[name] = summary(reached, absent);
  }
  return results;
}

/** One iteration of a step, or a step outside of loops. */
function resultOf(rows: readonly AttemptRecord[], waits: readonly WaitMessage[]): StepResult {
  const ends = rows.filter(({ handler }) => handler === "body");
  const last = ends.at(-1);
  const rescue = rows.findLast(({ handler, status }) => handler === "on_error" && status === "completed");
  const executes = waits.some((wait) => wait.for === "handler" || wait.for === "slot");
  const state =
    waits.length === 0 ? (last?.status ?? rows.at(-1)?.status ?? "running") : executes ? "running" : "waiting";
  return {
    status: state,
    output: rescue === undefined ? last?.output : rescue.output,
    error: last?.error ?? rows.findLast(({ error }) => error !== undefined)?.error,
    isHandled: rescue !== undefined,
    attempts: ends.length,
    iterations: {},
  };
}

const WORST_FIRST: readonly StepState[] = ["running", "waiting", "failed", "timed_out", "interrupted", "cancelled"];

function summary(reached: readonly (readonly [scope: string, result: StepResult])[], absent: StepState): StepResult {
  const [first, ...others] = reached;
  if (first === undefined) return { ...NOTHING, status: absent };
  if (others.length === 0 && first[0] === "") return first[1];
  const results = reached.map(([, result]) => result);
  const last = results.at(-1) as StepResult;
  const worst = WORST_FIRST.find((state) => results.some(({ status }) => status === state));
  return {
    status: worst ?? last.status,
    output: last.output,
    error: results.findLast(({ error }) => error !== undefined)?.error,
    isHandled: results.some(({ isHandled }) => isHandled),
    attempts: results.reduce((sum, { attempts }) => sum + attempts, 0),
    iterations: Object.fromEntries(reached),
  };
}

const NOTHING = { output: undefined, error: undefined, isHandled: false, attempts: 0, iterations: {} };
/** Of what is done without a handler and without a row. */
const SUCCEEDED: StepResult = { ...NOTHING, status: "completed" };

/** How a node is of which nothing is recorded. A block has no row when the run ends inside of it. */
function withoutRows(status: RunStatus, isEntered: boolean): StepState {
  const hasEnded = ENDED.has(status);
  if (isEntered) return hasEnded ? "cancelled" : "running";
  return hasEnded ? "skipped" : "pending";
}

/** Whether something inside a block has been reached, although the block itself has not ended. */
function isEntered(node: NodeSpec, places: readonly Pick<Place, "step">[]): boolean {
  const names = new Set(inside(node).map(({ name }) => name));
  return places.some(({ step }) => names.has(step));
}

/** The nodes of branches that an `if` has decided against, outside of loops. */
function passedOver(nodes: readonly NodeSpec[], record: RunRecord): ReadonlySet<NodeSpec> {
  const passed = new Set<NodeSpec>();
  for (const node of nodes) {
    const decision = record.attempts.find(
      ({ step, scope, handler, status }) =>
        step === node.name && scope === "" && handler === "condition" && status === "completed",
    );
    for (const [index, branch] of branchesOf(node).entries()) {
      const isTaken = node.kind !== "if" || decision === undefined || decision.output === index;
      const found = isTaken ? passedOver(branch, record) : branch.flatMap((inner) => [inner, ...inside(inner)]);
      for (const inner of found) passed.add(inner);
    }
  }
  return passed;
}
