/** Which nodes and branches of a workflow a run has reached, as its history tells. */
import { type Position, positionOf } from "../../definition/position.ts";
import type { Definition, NodeSpec } from "../../definition.ts";
import type { AttemptRecord } from "../../records.ts";
import { endedBy } from "../ended-by.ts";
import { branchesOf } from "../nodes.ts";
import type { RunView } from "../run-view.ts";

/** A way on from a node. */
export interface BranchCoverage {
  /** Which: `"branch 1"`, `"else"`, `"no branch"`, `"body"`, `"timeout"`, `"onError"`, or what the branch is called. */
  readonly name: string;
  /** How often it was taken. */
  taken: number;
}

/** How often runs of tests have come to a node of a workflow. */
export interface NodeCoverage {
  /** What it is called in the workflow. */
  readonly name: string;
  /** What kind of node it is. */
  readonly kind: NodeSpec["kind"];
  /** Known when `CRONFLOW_COVERAGE` was set while the workflow was defined. */
  readonly position?: Position;
  /** How often it was reached. */
  reached: number;
  /** The ways on from it; empty when there is only one. */
  readonly branches: BranchCoverage[];
}

/** A workflow none of whose nodes has been reached. */
export function untouched({ nodes }: Definition): NodeCoverage[] {
  return [...nodes.values()].map((node) => {
    const position = positionOf(node);
    return {
      name: node.name,
      kind: node.kind,
      ...(position !== undefined && { position }),
      reached: 0,
      branches: branchNames(node).map((name) => ({ name, taken: 0 })),
    };
  });
}

/** Adds what a run has reached. */
export function addRun(coverage: readonly NodeCoverage[], { definition, record, waits }: RunView): void {
  const rows = Map.groupBy(record.attempts, ({ step }) => step);
  const end = endedBy(definition, record);
  const unrecorded = [...waits, ...(end === undefined ? [] : [end])];
  const scopes = (name: string): Set<string> => {
    const waiting = unrecorded.filter(({ step }) => step === name).map(({ scope = "" }) => scope);
    return new Set([...(rows.get(name) ?? []).map(({ scope }) => scope), ...waiting]);
  };
  for (const node of coverage) {
    const spec = definition.node(node.name);
    if (spec === undefined) continue;
    const inner = branchesOf(spec).map((branch) => scopesOf(branch, scopes));
    node.reached += Math.max(scopes(node.name).size, ...inner);
    const taken = waysTaken(spec, rows.get(node.name) ?? [], inner);
    for (const branch of node.branches) branch.taken += taken.filter((name) => name === branch.name).length;
  }
}

/** In how many iterations any node of a branch was reached. */
function scopesOf(branch: readonly NodeSpec[], scopes: (name: string) => Set<string>): number {
  return Math.max(0, ...branch.map(({ name }) => scopes(name).size));
}

const NO_BRANCH = "no branch";
const ON_ERROR = "onError";

function branchNames(node: NodeSpec): string[] {
  const names = waysOn(node);
  return node.functions.on_error === undefined ? names : [...names, ON_ERROR];
}

function waysOn(node: NodeSpec): string[] {
  const { kind, branches = [], otherwise, fields } = node;
  const isTimed = fields["wait_ms"] !== undefined;
  switch (kind) {
    case "if":
      return [...numbered(branches), otherwise === undefined ? NO_BRANCH : "else"];
    case "parallel":
    case "race":
      return (fields["keys"] as string[] | undefined) ?? numbered(branches);
    case "while":
    case "for_each":
      return ["body"];
    case "wait_for_event":
      return isTimed ? ["event", "timeout"] : [];
    case "approval":
      return ["approved", "rejected", ...(isTimed ? ["timeout"] : [])];
    default:
      return [];
  }
}

function numbered(branches: readonly unknown[]): string[] {
  return branches.map((_, index) => `branch ${index + 1}`);
}

/** The ways that were taken, by name, as often as they were. */
function waysTaken(node: NodeSpec, rows: readonly AttemptRecord[], inner: readonly number[]): string[] {
  const completed = rows.filter(({ status }) => status === "completed");
  const outputs = (handler: AttemptRecord["handler"]): unknown[] =>
    completed.filter((row) => row.handler === handler).map(({ output }) => output);
  const names = waysOn(node);
  const rescued = outputs("on_error").map(() => ON_ERROR);
  const taken = (): (string | undefined)[] => {
    switch (node.kind) {
      case "if":
        return outputs("condition").map((index) => names[index as number]);
      case "parallel":
      case "race":
        return names.flatMap((name, index) => Array.from({ length: inner[index] ?? 0 }, () => name));
      case "while":
        return outputs("condition").map((holds) => (holds === 1 ? "body" : undefined));
      case "for_each":
        return outputs("items").map((items) => ((items as readonly unknown[]).length > 0 ? "body" : undefined));
      case "wait_for_event":
        return outputs("body").map((output) => (isTimedOut(output) ? "timeout" : "event"));
      case "approval":
        return outputs("body").map((output) => (output as { status?: string } | null)?.status);
      default:
        return [];
    }
  };
  return [...taken().filter((name) => name !== undefined), ...rescued];
}

function isTimedOut(output: unknown): boolean {
  return (output as { timedOut?: unknown } | null | undefined)?.timedOut === true;
}
