/** Checks the names that tests speak of, where they are written. */
import type { Definition, NodeSpec } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { suggestion } from "./names.ts";

/** Throws when the workflow has no such step. `name` may be `step@iteration`. */
export function checkStep(definition: Definition, method: string, name: string): NodeSpec {
  const [step = "", iteration] = String(name).split("@");
  const node = definition.node(step);
  if (node === undefined) {
    throw unknown(
      `.${method}("${name}"): workflow \`${definition.id}\` has no step \`${step}\`. ${suggestion(step, definition.nodes.keys())}`,
    );
  }
  if (iteration !== undefined && node.loops.length === 0) {
    throw unknown(`.${method}("${name}"): step \`${step}\` is in no loop, so it has no iterations.`);
  }
  return node;
}

const ADVICE: Partial<Record<NodeSpec["kind"], string>> = {
  approval: "Answer it by .approve() or .reject()",
  wait_for_event: "Publish its event by .mockEvent()",
  sleep: "Skip it by .advance()",
  sleep_until: "Skip it by .advance()",
  cancel: "It does nothing that could be mocked",
};

/** The node that a mock of this name stands for. */
export function checkMock(definition: Definition, name: string): NodeSpec {
  const node = checkStep(definition, "mockStep", name);
  if (node.kind === "step" || node.kind === "action" || node.kind === "subflow") return node;
  throw unknown(
    `.mockStep("${name}"): \`${name}\` is no step: its kind is ${node.kind}. ${ADVICE[node.kind] ?? "Mock the steps inside of it"}.`,
  );
}

/** Throws when no workflow waits for, or is started by, an event of this name. */
export function checkEvent(definitions: readonly Definition[], name: string): void {
  const events = new Set<string>();
  for (const { nodes } of definitions) {
    for (const { fields, kind } of nodes.values()) if (kind === "wait_for_event") events.add(String(fields["event"]));
  }
  if (!events.has(name)) {
    throw unknown(`.mockEvent("${name}"): nothing waits for an event of this name. ${suggestion(name, events)}`);
  }
}

/** The key by which handlers call a service. */
export function checkService(
  definitions: readonly Definition[],
  everywhere: readonly { readonly key: string }[],
  name: string,
): void {
  const keys = new Set(everywhere.map(({ key }) => key));
  for (const { options } of definitions) for (const { key } of options.services ?? []) keys.add(key);
  if (!keys.has(name)) {
    throw unknown(
      `.mockService("${name}"): no workflow of the test has a service of this name. ${suggestion(name, keys)}`,
    );
  }
}

/** A test speaks of something that does not exist. */
function unknown(message: string): InvalidError {
  return new InvalidError("request_invalid", message);
}
