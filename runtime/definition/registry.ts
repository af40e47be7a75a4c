/** All nodes of one tree by name, in the order they were added: names are unique in the whole workflow. */
import { LIMITS } from "../native/generated.ts";
import { checkName, invalid } from "./check.ts";
import type { NodeSpec } from "./node.ts";

export class Registry {
  readonly #nodes: NodeSpec[] = [];
  readonly #byName = new Map<string, NodeSpec>();
  readonly #first: number;

  /**
   * @param workflowId For messages.
   * @param first Nodes added before, by another registry: a body that is built again has the numbers it had at first.
   * @param isTrial Whether it is only looked at what is built: bodies inside are not tried a second time, because a
   *   loop in a loop in a loop would be tried two, four, eight times.
   */
  constructor(
    readonly workflowId: string,
    first = 0,
    readonly isTrial = false,
  ) {
    this.#first = first;
  }

  /** Nodes of the workflow so far. */
  get count(): number {
    return this.#first + this.#nodes.length;
  }

  get byName(): ReadonlyMap<string, NodeSpec> {
    return this.#byName;
  }

  add(node: NodeSpec): void {
    checkName(`step name in workflow \`${this.workflowId}\`, ${node.place},`, node.name);
    const first = this.#byName.get(node.name);
    if (first !== undefined) {
      throw invalid(
        `Workflow \`${this.workflowId}\` has two steps named \`${node.name}\`: ${first.place} and ${node.place}. Rename one.`,
      );
    }
    if (this.count >= LIMITS.NODES_PER_WORKFLOW) {
      throw invalid(
        `Workflow \`${this.workflowId}\` has more than ${LIMITS.NODES_PER_WORKFLOW.toLocaleString("en-US")} nodes: \`${node.name}\` is one too many. Move a part of it into a subflow.`,
      );
    }
    this.#byName.set(node.name, node);
    this.#nodes.push(node);
  }

  /** Forgets the nodes added since `count` was that. */
  rollBack(count: number): void {
    for (const { name } of this.#nodes.splice(count - this.#first)) this.#byName.delete(name);
  }

  /** The names of the nodes added since `count` was that. */
  namesSince(count: number): string[] {
    return this.#nodes.slice(count - this.#first).map(({ name }) => name);
  }
}
