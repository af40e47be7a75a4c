/**
 * Where in its loops a node is executed. A scope is the numbers of the iterations around it, outermost first, joined
 * by dots: `""` outside loops, `"3"`, `"3.17"`. Numbers begin at 0.
 */

/** What a node's outputs are recorded under, and what its idempotency key ends in: `name`, or `name@scope`. */
export function nodeKey(name: string, scope = ""): string {
  return scope === "" ? name : `${name}@${scope}`;
}

/** The scope of the outermost `loops` loops of a scope. */
export function outerScope(scope: string, loops: number): string {
  let end = -1;
  for (let level = 0; level < loops; level += 1) {
    end = scope.indexOf(".", end + 1);
    if (end === -1) return scope;
  }
  return scope.slice(0, Math.max(end, 0));
}

/** The number of the iteration of the loop that has `level` loops around it. */
export function iterationOf(scope: string, level: number): number {
  return Number(scope.split(".")[level]);
}
