/** Which `.cancel()` has ended a run. It leaves no row in the history: it is what comes right after the last one. */
import type { Definition, NodeSpec } from "../definition.ts";
import type { AttemptRecord, RunRecord } from "../records.ts";
import { branchesOf } from "./nodes.ts";

/** Where a path of a run is. */
export interface Place {
  readonly step: string;
  readonly scope: string;
}

/** The node, if there is one: a run can be cancelled by a call or in a handler, too. */
export function endedBy({ nodes, sequence }: Definition, record: RunRecord): Place | undefined {
  if (record.status !== "cancelled") return undefined;
  const next = followers(sequence.nodes, undefined);
  // Attempts that were given up at the end have rows, too, but lead nowhere.
  const last = record.attempts.findLast(({ status, handler }) => status === "completed" && LEADS_ON.has(handler));
  if (last === undefined) return cancelAmong([sequence.nodes[0]], "");
  const node = nodes.get(last.step);
  return node && ledTo(last, node, next.get(node), record);
}

const LEADS_ON: ReadonlySet<string> = new Set(["body", "on_error", "on_timeout", "condition", "items"]);

/** The `.cancel()` that a row has led to. */
function ledTo(row: AttemptRecord, node: NodeSpec, next: NodeSpec | undefined, record: RunRecord): Place | undefined {
  const { handler, output, scope } = row;
  if (handler === "items") return cancelAmong([node.body?.[0]], inner(scope, 0));
  if (handler !== "condition") return cancelAmong([next], scope);
  if (node.kind === "if") return cancelAmong([branchesOf(node)[output as number]?.[0] ?? next], scope);
  return output === 1 ? cancelAmong([node.body?.[0]], inner(scope, repetition(row, record))) : undefined;
}

/** The number of the repetition of a `while` that a condition has begun. */
function repetition({ step, scope, sequence }: AttemptRecord, { attempts }: RunRecord): number {
  const isBefore = (row: AttemptRecord): boolean =>
    row.step === step && row.scope === scope && row.sequence < sequence && row.handler === "condition";
  return attempts.filter((row) => isBefore(row) && row.status === "completed" && row.output === 1).length;
}

/** The first `.cancel()` among nodes that are come to at the same time, or that their branches begin with. */
function cancelAmong(arrivals: readonly (NodeSpec | undefined)[], scope: string): Place | undefined {
  const all = arrivals.filter((node) => node !== undefined);
  // It grows on the way.
  for (const node of all) {
    if (node.kind === "cancel") return { step: node.name, scope };
    if (node.kind === "parallel" || node.kind === "race") {
      all.push(...branchesOf(node).flatMap((branch) => branch.slice(0, 1)));
    }
  }
  return undefined;
}

/** What comes after each node: after the last one on a branch of an `if`, what comes after the `if`. */
function followers(
  nodes: readonly NodeSpec[],
  after: NodeSpec | undefined,
  found = new Map<NodeSpec, NodeSpec | undefined>(),
): ReadonlyMap<NodeSpec, NodeSpec | undefined> {
  for (const [index, node] of nodes.entries()) {
    const next = nodes[index + 1] ?? after;
    found.set(node, next);
    for (const branch of branchesOf(node)) followers(branch, node.kind === "if" ? next : undefined, found);
    followers(node.body ?? [], undefined, found);
  }
  return found;
}

function inner(scope: string, number: number): string {
  return scope === "" ? String(number) : `${scope}.${number}`;
}
