/** Coverage of workflows, to be read: as a table, as JSON, and as lcov, which editors show beside the lines. */
import { relative } from "node:path";
import type { BranchCoverage, NodeCoverage } from "./reached.ts";

/** What of one workflow was reached. */
export interface WorkflowCoverage {
  /** The id of the workflow. */
  readonly workflowId: string;
  /** All its nodes, those that were not reached too. */
  readonly nodes: readonly NodeCoverage[];
}

interface Figures {
  readonly reached: number;
  readonly all: number;
}

/** What all tests together have reached. */
export class CoverageReport {
  constructor(
    /** Workflows that were under test. */
    readonly workflows: readonly WorkflowCoverage[],
  ) {}

  /** Nodes that were reached, and all there are. */
  get nodes(): Figures {
    return figures(this.workflows.flatMap(({ nodes }) => nodes.map(({ reached }) => reached)));
  }

  /** Branches that were taken, and all there are. */
  get branches(): Figures {
    return figures(this.workflows.flatMap(({ nodes }) => takenIn(nodes)));
  }

  /** A table, with what was not reached. */
  text(): string {
    const rows = [["workflow", "steps", "branches", "not reached"]];
    for (const { workflowId, nodes } of this.workflows) {
      rows.push([
        workflowId,
        shown(figures(nodes.map(({ reached }) => reached))),
        shown(figures(takenIn(nodes))),
        missing(nodes),
      ]);
    }
    rows.push(["all", shown(this.nodes), shown(this.branches), ""]);
    const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length))) ?? [];
    return rows
      .map((row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd(),
      )
      .join("\n");
  }

  /** Everything, as JSON. */
  json(): string {
    const { nodes, branches, workflows } = this;
    return `${JSON.stringify({ nodes, branches, workflows }, undefined, 2)}\n`;
  }

  /** lcov. Nodes of which it is not known where they are written are left out. */
  lcov(directory: string = process.cwd()): string {
    const placed = this.workflows.flatMap(({ workflowId, nodes }) =>
      nodes.flatMap((node) => (node.position === undefined ? [] : [{ workflowId, node, ...node.position }])),
    );
    const files = Map.groupBy(placed, ({ file }) => file);
    return [...files].map(([file, inFile]) => lcovOf(relative(directory, file), inFile)).join("");
  }
}

interface Placed {
  readonly workflowId: string;
  readonly node: NodeCoverage;
  readonly line: number;
}

function lcovOf(file: string, placed: readonly Placed[]): string {
  const records = ["TN:", `SF:${file}`];
  const named = placed.map(({ workflowId, node, line }) => ({ name: `${workflowId}.${node.name}`, node, line }));
  for (const { name, line } of named) records.push(`FN:${line},${name}`);
  for (const { name, node } of named) records.push(`FNDA:${node.reached},${name}`);
  records.push(`FNF:${named.length}`, `FNH:${named.filter(({ node }) => node.reached > 0).length}`);
  const branches = named.flatMap(({ node, line }, block) =>
    node.branches.map(({ taken }, number) => ({
      line,
      block,
      number,
      taken: node.reached === 0 ? "-" : String(taken),
    })),
  );
  for (const { line, block, number, taken } of branches) records.push(`BRDA:${line},${block},${number},${taken}`);
  records.push(`BRF:${branches.length}`, `BRH:${branches.filter(({ taken }) => Number(taken) > 0).length}`);
  const lines = [...Map.groupBy(placed, ({ line }) => line)].sort(([one], [other]) => one - other);
  const hits = lines.map(([line, here]) => [line, Math.max(...here.map(({ node }) => node.reached))] as const);
  for (const [line, count] of hits) records.push(`DA:${line},${count}`);
  records.push(`LF:${hits.length}`, `LH:${hits.filter(([, count]) => count > 0).length}`, "end_of_record", "");
  return records.join("\n");
}

/** The same workflow of several processes and files, added up. */
export function merged(parts: readonly WorkflowCoverage[]): WorkflowCoverage[] {
  return [...Map.groupBy(parts, ({ workflowId }) => workflowId)].map(([workflowId, same]) => ({
    workflowId,
    nodes: [
      ...Map.groupBy(
        same.flatMap(({ nodes }) => nodes),
        ({ name }) => name,
      ).values(),
    ].map(added),
  }));
}

function added(nodes: readonly NodeCoverage[]): NodeCoverage {
  const last = nodes.at(-1) as NodeCoverage;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const takenOf = (wanted: string): number[] =>
    nodes.flatMap(({ branches }) => branches.filter(({ name }) => name === wanted).map(({ taken }) => taken));
  return {
    ...last,
    reached: sum(nodes.map(({ reached }) => reached)),
    branches: last.branches.map(({ name }) => ({ name, taken: sum(takenOf(name)) })),
  };
}

function takenIn(nodes: readonly NodeCoverage[]): number[] {
  return nodes.flatMap(({ branches }) => branches.map(({ taken }: BranchCoverage) => taken));
}

function figures(counts: readonly number[]): Figures {
  return { reached: counts.filter((count) => count > 0).length, all: counts.length };
}

function shown({ reached, all }: Figures): string {
  return all === 0 ? "-" : `${reached}/${all}`;
}

function missing(nodes: readonly NodeCoverage[]): string {
  return nodes
    .flatMap(({ name, reached, branches }) =>
      reached === 0 ? [name] : branches.filter(({ taken }) => taken === 0).map((branch) => `${name} (${branch.name})`),
    )
    .join(", ");
}
