/** What this process remembers of a run it executes: recorded text, so that handlers see what a restart would show. */
import type { Definition, LoopSpec, NodeSpec } from "./definition.ts";
import { iterationOf, nodeKey, outerScope } from "./scope.ts";

export interface RunMemory {
  readonly runId: string;
  readonly workflowId: string;
  readonly version: string | undefined;
  /** The definition it follows, if this process has it. */
  readonly definition: Definition | undefined;
  readonly createdAtMs: number;
  readonly payload: string | undefined;
  readonly trigger: string | undefined;
  /** By key. The items of a `forEach` or `batch` are there too, under its key followed by `:items`. */
  readonly outputs: Map<string, string | undefined>;
  /** Bodies of `forEach` and `batch` built for an item, by the loop's key and the iteration. */
  readonly bodies: Map<string, ReadonlyMap<string, NodeSpec>>;
}

/** What an iteration of a `forEach` or `batch` is given. Every call decodes values of its own. */
export interface Iteration {
  readonly index: number;
  /** The item; of a batch the list of its items. */
  readonly value: unknown;
}

/** A value of a `forEach` or `batch` loop is given once to every node in it: cut once, not once per iteration. */
const CUT = new WeakMap<RunMemory, Map<string, { readonly text: string; readonly items: readonly string[] }>>();

/** The iteration that `scope` is in, of the loop that has `level` loops around it. */
export function iterationIn(memory: RunMemory, loop: LoopSpec, level: number, scope: string): Iteration {
  const index = iterationOf(scope, level);
  const items = itemsOf(memory, `${nodeKey(loop.name, outerScope(scope, level))}:items`);
  if (loop.size === undefined) return { index, value: JSON.parse(items[index] ?? "null") };
  const batch = items.slice(index * loop.size, (index + 1) * loop.size);
  return { index, value: JSON.parse(`[${batch.join(",")}]`) };
}

function itemsOf(memory: RunMemory, key: string): readonly string[] {
  let cuts = CUT.get(memory);
  if (cuts === undefined) {
    cuts = new Map();
    CUT.set(memory, cuts);
  }
  const text = memory.outputs.get(key) ?? "[]";
  let cut = cuts.get(key);
  if (cut?.text !== text) {
    cut = { text, items: (JSON.parse(text) as unknown[]).map((item) => JSON.stringify(item)) };
    cuts.set(key, cut);
  }
  return cut.items;
}
