/** A list of nodes under construction: the workflow itself, a branch, or the body of a loop, with its open ifs. */
import { LIMITS } from "../native/generated.ts";
import { invalid } from "./check.ts";
import type { AnyHandler, LoopSpec, NodeSpec } from "./node.ts";
import type { Registry } from "./registry.ts";

/** What a chained `.retry()`, `.onError()` … speaks of, and from which side of it. */
export interface Current {
  readonly node: NodeSpec;
  /** `opened`: right after `.if()`. `closed`: right after `.endIf()`. */
  readonly at: "node" | "opened" | "closed";
}

interface OpenIf {
  readonly node: NodeSpec;
  readonly branches: NodeSpec[][];
  readonly conditions: AnyHandler[];
  /** The list it stands in. */
  readonly outer: NodeSpec[];
}

export class Sequence {
  readonly nodes: NodeSpec[] = [];
  readonly #open: OpenIf[] = [];
  /** Where nodes are added now: the list itself, or a branch of an open if. */
  #list: NodeSpec[] = this.nodes;
  #current: Current | undefined;
  #isClosed = false;

  /**
   * @param where The block it is part of, for messages: "branch 2 of `p`"; empty for the workflow itself.
   * @param depth How many blocks are around it.
   * @param around The branches and bodies it is in, itself included, outermost first.
   */
  constructor(
    readonly registry: Registry,
    readonly loops: readonly LoopSpec[] = [],
    readonly where = "",
    readonly depth = 0,
    readonly around: readonly string[] = [],
  ) {}

  /** What messages begin with. */
  get workflow(): string {
    return `Workflow \`${this.registry.workflowId}\``;
  }

  /** Blocks around what is added now. */
  get depthInside(): number {
    return this.depth + this.#open.length;
  }

  /** Where the next node stands. */
  get place(): string {
    const open = this.#open.at(-1);
    const where = open === undefined ? this.where : branchOf(open);
    return `number ${this.registry.count + 1}${where === "" ? "" : ` (in ${where})`}`;
  }

  add(node: NodeSpec): void {
    this.refuseLate(`${node.kind} \`${node.name}\``);
    this.registry.add(node);
    if (this.depthInside > LIMITS.BLOCK_DEPTH) {
      throw invalid(
        `${this.workflow}: \`${node.name}\`, ${node.place}, is nested deeper than ${LIMITS.BLOCK_DEPTH} blocks. Move a part of it into a subflow.`,
      );
    }
    this.#list.push(node);
    this.#current = { node, at: "node" };
  }

  /** Adds an if; what follows belongs to its first branch. */
  openIf(node: NodeSpec, branches: NodeSpec[][], conditions: AnyHandler[]): void {
    this.add(node);
    this.#open.push({ node, branches, conditions, outer: this.#list });
    this.#list = branches[0] as NodeSpec[];
    this.#current = { node, at: "opened" };
  }

  elseIf(condition: AnyHandler): void {
    const open = this.#openIf("elseIf");
    if (open.node.otherwise !== undefined) {
      throw invalid(
        `${this.workflow}: .elseIf() after .else() of ${open.node.kind} \`${open.node.name}\`, ${open.node.place}. Put .else() last.`,
      );
    }
    if (open.branches.length === LIMITS.BRANCHES) {
      throw invalid(`${this.workflow}: if \`${open.node.name}\` has more than ${LIMITS.BRANCHES} branches.`);
    }
    open.conditions.push(condition);
    this.#list = [];
    open.branches.push(this.#list);
    this.#current = undefined;
  }

  else(): void {
    const open = this.#openIf("else");
    if (open.node.otherwise !== undefined) {
      throw invalid(`${this.workflow}: if \`${open.node.name}\`, ${open.node.place}, has .else() twice. Remove one.`);
    }
    this.#list = [];
    open.node.otherwise = this.#list;
    this.#current = undefined;
  }

  endIf(): void {
    const { node, outer } = this.#openIf("endIf");
    this.#open.pop();
    this.#list = outer;
    this.#current = { node, at: "closed" };
  }

  /** What a chained option speaks of. */
  current(method: string): Current {
    this.refuseLate(`.${method}()`);
    if (this.#current !== undefined) return this.#current;
    const open = this.#open.at(-1);
    const found = open === undefined ? "there is none yet" : `there is none yet in ${branchOf(open)}`;
    throw invalid(`${this.workflow}: .${method}() follows a step, and ${found}. Put it after one.`);
  }

  /**
   * Throws when the list is finished: of what is added then, no engine would be told.
   *
   * @param what What comes too late, for the message.
   */
  refuseLate(what: string): void {
    if (!this.#isClosed) return;
    throw invalid(
      this.where === ""
        ? `${this.workflow}: ${what} comes after start() of an engine, or of a test, that has the workflow: add steps and triggers first.`
        : `${this.workflow}: ${what} comes after ${this.where} was built: add steps before its function returns.`,
    );
  }

  /** The finished list: from now on nothing can be added. Throws when an if is still open. */
  close(): readonly NodeSpec[] {
    const open = this.#open.at(-1)?.node;
    if (open !== undefined) {
      throw invalid(
        `${this.workflow}: if \`${open.name}\`, ${open.place}, is not closed. Add .endIf() after its branches.`,
      );
    }
    this.#isClosed = true;
    return this.nodes;
  }

  #openIf(method: string): OpenIf {
    this.refuseLate(`.${method}()`);
    const open = this.#open.at(-1);
    if (open === undefined) {
      const where = this.where === "" ? "" : ` in ${this.where}`;
      throw invalid(
        `${this.workflow}: .${method}()${where} without an open .if(), before ${this.place}. Remove it, or open the if in the same flow.`,
      );
    }
    return open;
  }
}

function branchOf({ node, branches }: OpenIf): string {
  return `${node.otherwise === undefined ? `branch ${branches.length}` : "else"} of \`${node.name}\``;
}
