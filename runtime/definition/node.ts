/** The tree of a workflow, as the builder leaves it. */
import type { AnyContext } from "../context.ts";
import type { Definition } from "../definition.ts";
import type { HandlerName, NodeKind } from "../native/protocol.ts";
import type { StepOptions } from "./options.ts";

export type AnyHandler = (context: AnyContext) => unknown;

/** A node: what the core is told of it, and the functions that stay here. */
export interface NodeSpec {
  readonly kind: NodeKind;
  readonly name: string;
  /** Where it stands, for messages: `number 3`, `number 5 (in branch 2 of \`p\`)`. */
  readonly place: string;
  options: StepOptions;
  /** Every function takes the context alone, and gives what the core expects of it. */
  readonly functions: Partial<Record<HandlerName, AnyHandler>>;
  /** The loops around it, outermost first. */
  readonly loops: readonly LoopSpec[];
  /** The branches and bodies it is in, outermost first: what is in none of them does not see it. */
  readonly around: readonly string[];
  /** What the core is told of this kind of node alone, as it is sent. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly branches?: readonly (readonly NodeSpec[])[];
  /** The branch of `else`. */
  otherwise?: readonly NodeSpec[];
  readonly body?: readonly NodeSpec[];
  /** Of a subflow that was given its workflow, and not the id of one. */
  readonly child?: Definition;
  /** Of an approval: the address that answers it. */
  readonly approvalUrl?: (token: string) => string;
}

/** A loop, as its body sees it: one scope for each of its iterations. */
export interface LoopSpec {
  readonly name: string;
  readonly kind: "while" | "for_each";
  /** Items given to one iteration of a `batch`. */
  readonly size?: number;
  /**
   * Builds the body for one item; absent for `while`, whose body is built once. Throws an `InvalidError` when the
   * shape is not the definition's.
   */
  readonly build?: (item: unknown, index: number) => ReadonlyMap<string, NodeSpec>;
  /** Names of all nodes inside, also nested ones. */
  readonly names: readonly string[];
}
