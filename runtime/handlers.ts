/** Which of the user's functions an attempt calls. */
import type { AnyHandler, Definition, NodeSpec } from "./definition.ts";
import { iterationIn, type RunMemory } from "./memory.ts";
import type { ExecuteMessage } from "./native/protocol.ts";
import { nodeKey, outerScope } from "./scope.ts";

/** The node of an attempt. Inside `forEach` and `batch` its functions are those built for the item. */
export function nodeOf(definition: Definition, message: ExecuteMessage, memory: RunMemory): NodeSpec | undefined {
  const { step, scope = "" } = message;
  if (step === undefined) return undefined;
  let node = definition.node(step);
  for (let level = 0; level < (node?.loops.length ?? 0); level += 1) {
    const loop = node?.loops[level];
    if (loop?.build === undefined) continue;
    const key = bodyKey(loop.name, outerScope(scope, level + 1));
    let body = memory.bodies.get(key);
    if (body === undefined) {
      const { value, index } = iterationIn(memory, loop, level, scope);
      body = loop.build(value, index);
      memory.bodies.set(key, body);
    }
    node = body.get(step);
  }
  return node;
}

/** What a loop's body is remembered under. */
export function bodyKey(loop: string, scope: string): string {
  return nodeKey(loop, scope);
}

/** The function, if this process has it. */
export function handlerOf(
  definition: Definition,
  node: NodeSpec | undefined,
  { handler = "body" }: ExecuteMessage,
): AnyHandler | undefined {
  switch (handler) {
    case "on_success":
      return definition.options.hooks?.onSuccess;
    case "on_failure":
      return definition.options.hooks?.onFailure;
    default:
      return node?.functions[handler];
  }
}
