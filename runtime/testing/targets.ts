/** Checks the names that tests speak of, where they are written. */
import type { Definition, NodeSpec } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import type { AnyService } from "../services/types.ts";
import type { DefinedService, MockedService } from "./mocks.ts";
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

/** The name by which handlers call a service that is given by itself, by what it was defined as, or by that name. */
export function serviceKey(
  definitions: readonly Definition[],
  everywhere: readonly AnyService[],
  service: MockedService<unknown> | string,
): string {
  const services = [...everywhere, ...definitions.flatMap(({ options }) => options.services ?? [])];
  const keys = new Set(services.map(({ key }) => key));
  if (isDefined(service)) {
    const [key, ...others] = new Set(services.filter(({ id }) => id === service.id).map((one) => one.key));
    if (key === undefined) throw noService(service.id, keys);
    if (others.length === 0) return key;
    const names = [key, ...others].map((name) => `"${name}"`).join(", ");
    throw unknown(
      `.mockService(): the test has service \`${service.id}\` under several names. Say which is meant: ${names}.`,
    );
  }
  const key = typeof service === "string" ? service : service?.key;
  if (typeof key !== "string") {
    throw unknown(
      `.mockService(): ${Bun.inspect(service, { depth: 0 })} is no service: give what defineService() or .withConfig() gives, or a name in ctx.services.`,
    );
  }
  if (!keys.has(key)) throw noService(key, keys);
  return key;
}

function isDefined(service: unknown): service is DefinedService<unknown> {
  const { id, withConfig } = (service ?? {}) as { readonly id?: unknown; readonly withConfig?: unknown };
  return typeof id === "string" && typeof withConfig === "function";
}

function noService(name: string, keys: Iterable<string>): InvalidError {
  return unknown(
    `.mockService("${name}"): no workflow of the test has a service of this name. ${suggestion(name, keys)}`,
  );
}

/** A test speaks of something that does not exist. */
function unknown(message: string): InvalidError {
  return new InvalidError("request_invalid", message);
}
