/** Where in the user's files a node was written: for the coverage of workflows, which editors show by line. */
import { dirname, join, sep } from "node:path";
import type { NodeSpec } from "./node.ts";

/** Where in the user's files a node was written. */
export interface Position {
  /** The path of the file. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Only while coverage is measured: looking at the stack costs more than all else that is done for a node. */
const IS_ON = (process.env["CRONFLOW_COVERAGE"] ?? "") !== "";
const OWN = [import.meta.dir, join(dirname(import.meta.dir), "builder")].map((directory) => `${directory}${sep}`);
const FRAME = /\(?((?:\/|[A-Za-z]:[\\/])[^()]*?):(\d+):\d+\)?$/;

const positions = new WeakMap<NodeSpec, Position>();

/**
 * Keeps where the node that is made now is written. What a function returns is a tail call, of which there is no frame:
 * the last step of a branch stands where its block does, unless tail calls are off (`BUN_JSC_useTailCalls=0`).
 */
export function notePosition(node: NodeSpec): void {
  if (!IS_ON) return;
  for (const line of (new Error().stack ?? "").split("\n")) {
    const [, file, number] = FRAME.exec(line) ?? [];
    if (file === undefined || OWN.some((directory) => file.startsWith(directory))) continue;
    positions.set(node, { file, line: Number(number) });
    return;
  }
}

/** Where a node is written, if that is known. */
export function positionOf(node: NodeSpec): Position | undefined {
  return positions.get(node);
}
