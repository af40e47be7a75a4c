/** `ctx.steps`: the outputs that a node can see, found when they are asked for, because a run may have thousands. */
import type { Definition, NodeSpec } from "./definition.ts";
import { decode } from "./json.ts";
import { nodeKey, outerScope } from "./scope.ts";

type Steps = Readonly<Record<string, { readonly output: unknown }>>;

/** The outputs that a node sees in `scope`: those before it on its own path, in the same iterations of its loops. */
export function recordedSteps(
  definition: Definition,
  outputs: ReadonlyMap<string, string | undefined>,
  node: NodeSpec | undefined,
  scope: string,
): Steps {
  const around = node?.around ?? [];
  const keyOf = (name: string): string | undefined => {
    const other = definition.node(name);
    const isVisible = other?.around.every((where, level) => where === around[level]);
    if (other === undefined || !isVisible) return undefined;
    const key = nodeKey(name, outerScope(scope, other.loops.length));
    return outputs.has(key) ? key : undefined;
  };
  // Values are kept in the target, so that a handler sees what it has changed.
  const found = (target: Record<string, { readonly output: unknown }>, name: string | symbol) => {
    if (typeof name !== "string" || Object.hasOwn(target, name)) return;
    const key = keyOf(name);
    if (key !== undefined) target[name] = lazyOutput(outputs.get(key));
  };
  return new Proxy<Record<string, { readonly output: unknown }>>(Object.create(null), {
    get(target, name) {
      found(target, name);
      return Reflect.get(target, name);
    },
    has: (_target, name) => typeof name === "string" && keyOf(name) !== undefined,
    ownKeys: () => [...definition.nodes.keys()].filter((name) => keyOf(name) !== undefined),
    getOwnPropertyDescriptor(target, name) {
      found(target, name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
}

/** Decoded when it is asked for, and once. */
function lazyOutput(text: string | undefined): { readonly output: unknown } {
  let value: unknown;
  let isDecoded = false;
  return {
    get output() {
      if (!isDecoded) value = decode(text);
      isDecoded = true;
      return value;
    },
  };
}
