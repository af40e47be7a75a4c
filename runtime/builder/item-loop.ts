/**
 * The body of a `forEach` or `batch` is a function of its item. It is built once at definition with a placeholder, to
 * know its shape, and again for each item at run time, so that its steps see the real one. Both must be of one shape:
 * the core is told of it once.
 */
import { invalid } from "../definition/check.ts";
import { nodeMessage } from "../definition/message.ts";
import type { LoopSpec, NodeSpec } from "../definition/node.ts";
import { Registry } from "../definition/registry.ts";
import { Sequence } from "../definition/sequence.ts";
import type { NodeMessage } from "../native/protocol.ts";
import { isThenable } from "./functions.ts";
import { placeholder } from "./placeholder.ts";

export type ItemBody = (item: never, flow: never) => unknown;
/** Makes the flow that adds to a sequence. */
export type Begin = (sequence: Sequence) => object;

/** A loop, and its body as the definition has it. */
export interface ItemLoop {
  readonly loop: LoopSpec;
  readonly body: readonly NodeSpec[];
}

/** @param outer Where the loop stands. Its own node has been added. */
export function itemLoop(
  name: string,
  size: number | undefined,
  body: ItemBody,
  outer: Sequence,
  begin: Begin,
): ItemLoop {
  const { registry, depthInside } = outer;
  const first = registry.count;
  const where = `the body of \`${name}\``;
  const names: string[] = [];

  const build = (item: unknown, into: Registry): readonly NodeSpec[] => {
    const sequence = new Sequence(into, [...outer.loops, loop], where, depthInside + 1, [...outer.around, where]);
    const flow = begin(sequence);
    const returned = body(item as never, flow as never);
    if (returned !== flow) {
      throw invalid(
        `${outer.workflow}: ${where} returns ${isThenable(returned) ? "a promise" : "something else than the flow it was given"}. It builds steps for an item, and does nothing itself: return the flow.`,
      );
    }
    const nodes = sequence.close();
    if (nodes.length === 0) throw invalid(`${outer.workflow}: ${where} has no steps. Add one, or remove the loop.`);
    return nodes;
  };
  const shapeOf = (nodes: readonly NodeSpec[]): NodeMessage[] =>
    nodes.map((node) => nodeMessage(node, registry.workflowId));

  let shape: NodeMessage[];
  let shapeText: string;
  const built = (item: unknown): ReadonlyMap<string, NodeSpec> => {
    const again = new Registry(registry.workflowId, first, true);
    const now = shapeOf(build(item, again));
    if (JSON.stringify(now) !== shapeText) {
      throw invalid(
        `${outer.workflow}: a body that builds a different shape for each item cannot be recorded: in ${where} ${difference(shape, now)}. Names, options and the order of steps may not depend on the item; handlers, conditions and other functions may.`,
      );
    }
    return again.byName;
  };

  const loop: LoopSpec = {
    name,
    kind: "for_each",
    ...(size !== undefined && { size }),
    build: built,
    names,
  };
  const nodes = build(placeholder(0), registry);
  names.push(...registry.namesSince(first));
  shape = shapeOf(nodes);
  shapeText = JSON.stringify(shape);
  if (!registry.isTrial) built(placeholder(1));
  return { loop, body: nodes };
}

/** Where two shapes differ first. */
function difference(before: readonly NodeMessage[], now: readonly NodeMessage[]): string {
  const at = Array.from({ length: Math.max(before.length, now.length) }).findIndex(
    (_, index) => JSON.stringify(before[index]) !== JSON.stringify(now[index]),
  );
  const [one, other] = [before[at], now[at]];
  if (one === undefined) return `${described(other as NodeMessage)} is built for one item and not for another`;
  if (other === undefined) return `${described(one)} is built for one item and not for another`;
  if (one.kind !== other.kind || one.name !== other.name)
    return `number ${at + 1} is ${described(one)} or ${described(other)}`;
  const [blocks, otherBlocks] = [blocksOf(one), blocksOf(other)];
  for (const [index, block] of blocks.entries()) {
    const otherBlock = otherBlocks[index] ?? [];
    if (JSON.stringify(block) !== JSON.stringify(otherBlock)) return difference(block, otherBlock);
  }
  return `the options of ${described(one)} differ: ${JSON.stringify(one)} or ${JSON.stringify(other)}`;
}

function blocksOf(node: NodeMessage): NodeMessage[][] {
  if ("body" in node) return [node.body];
  if (!("branches" in node)) return [];
  return "otherwise" in node && node.otherwise !== undefined ? [...node.branches, node.otherwise] : node.branches;
}

function described({ kind, name }: NodeMessage): string {
  return `${kind} \`${name}\``;
}
