/** Workflows that others start as children: those that `.subflow()` was given itself, and not by their id, come along. */
import type { Definition } from "../definition.ts";
import { NonRetryableError } from "../errors.ts";

/**
 * The workflows, their children, and theirs. One that is given stands for a child of the same id.
 *
 * @param isMocked Whether something stands for the child runs of a step. Default: nothing does.
 */
export function withChildren(
  given: readonly Definition[],
  isMocked: (workflowId: string, step: string) => boolean = () => false,
): readonly Definition[] {
  const all = [...given];
  const ids = new Set(all.map(({ id }) => id));
  // It grows on the way.
  for (const { id, nodes } of all) {
    for (const { name, child } of nodes.values()) {
      if (child === undefined || ids.has(child.id) || isMocked(id, name)) continue;
      ids.add(child.id);
      all.push(child);
    }
  }
  return all;
}

/** Of a step whose child the test does not have. @param advice What gives it one. */
export function missingChild(workflowId: string, step: string, advice: string): NonRetryableError {
  const message = `no workflow \`${workflowId}\` is in this test: .subflow() was given its id alone. Write ${advice}, or .mockStep("${step}", …).`;
  // As the engine says it.
  return Object.assign(new NonRetryableError(message), { code: "workflow_not_found" });
}
