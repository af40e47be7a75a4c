/** What is inside of a node. */
import type { NodeSpec } from "../definition.ts";

/** The branches of a node; that of `else` is the last. */
export function branchesOf({ branches = [], otherwise }: NodeSpec): readonly (readonly NodeSpec[])[] {
  return otherwise === undefined ? branches : [...branches, otherwise];
}

/** All nodes inside of a node, also nested ones. */
export function inside(node: NodeSpec): NodeSpec[] {
  return [...branchesOf(node), node.body ?? []].flat().flatMap((inner) => [inner, ...inside(inner)]);
}
