/**
 * A workflow as tests run it: the same definition for the core, but each of its functions is called through a probe. It
 * differs in two things: requests for approval tell their token to the probe, and child runs that are mocked, or cannot be
 * started, are steps.
 */

import type { AnyContext } from "../context.ts";
import { nodeMessage } from "../definition/message.ts";
import type { AnyHandler, LoopSpec, NodeSpec } from "../definition/node.ts";
import { Definition, type Hook, type WorkflowOptions } from "../definition.ts";
import type { DefinitionMessage, HandlerName } from "../native/protocol.ts";
import type { SecretReference } from "../services/secrets/reference.ts";
import { TestSecret } from "./test-secret.ts";

/** A call of one of the user's functions. */
export interface HandlerCall {
  readonly workflowId: string;
  readonly node: NodeSpec;
  readonly handler: HandlerName;
  readonly context: AnyContext;
  /** What the user wrote. */
  readonly original: AnyHandler;
}

/** Called instead of each function. */
export type Probe = (call: HandlerCall) => unknown;

export interface Instruments {
  readonly probe: Probe;
  /** Subflows that are mocked. */
  readonly mockedSubflows: ReadonlySet<string> | undefined;
  /** What a subflow fails with whose workflow is not there; nothing if it is. Absent: as the engine says it. */
  readonly missing?: ((workflowId: string, step: string) => Error | undefined) | undefined;
  /** Called instead of each hook. */
  readonly hook: (call: () => unknown) => unknown;
  /** Stand for secrets of these names. */
  readonly secrets: Readonly<Record<string, string>> | undefined;
  /** Without hooks, triggers and secrets. */
  readonly isBare: boolean;
}

type Changed = Pick<NodeSpec, "kind" | "fields" | "functions">;

export class InstrumentedDefinition extends Definition {
  readonly #original: Definition;
  readonly #probe: Probe;
  readonly #mockedSubflows: ReadonlySet<string>;
  readonly #missing: NonNullable<Instruments["missing"]>;
  readonly #wrapped = new Map<NodeSpec, NodeSpec>();
  readonly #loops = new Map<LoopSpec, LoopSpec>();
  readonly #nodes: ReadonlyMap<string, NodeSpec>;

  constructor(original: Definition, instruments: Instruments) {
    const { probe, hook, mockedSubflows = new Set(), missing = () => undefined, secrets = {}, isBare } = instruments;
    super(isBare ? bare(original.options) : withSecrets(withHooks(original.options, hook), secrets));
    this.#original = original;
    // From here on nothing can be added: what is made here would not have it.
    original.sequence.close();
    this.#probe = probe;
    this.#mockedSubflows = mockedSubflows;
    this.#missing = missing;
    if (!isBare) this.triggers.push(...original.triggers);
    this.#nodes = new Map([...original.nodes].map(([name, node]) => [name, this.#node(node)]));
  }

  override node(name: string): NodeSpec | undefined {
    return this.#nodes.get(name);
  }

  override get nodes(): ReadonlyMap<string, NodeSpec> {
    return this.#nodes;
  }

  override toMessage(): DefinitionMessage {
    const { id, retry } = this.options;
    // That of this workflow has no nodes: they are the original's.
    const nodes = this.#original.sequence.close().map((node) => nodeMessage(this.#node(node), id, retry));
    return { ...super.toMessage(), nodes };
  }

  #node(original: NodeSpec): NodeSpec {
    let node = this.#wrapped.get(original);
    if (node === undefined) {
      node = this.#instrumented(original);
      this.#wrapped.set(original, node);
    }
    return node;
  }

  #instrumented(original: NodeSpec): NodeSpec {
    const { branches, otherwise, body, loops } = original;
    const inner = (nodes: readonly NodeSpec[]): readonly NodeSpec[] => nodes.map((node) => this.#node(node));
    const { kind, fields, functions } = this.#changed(original);
    return {
      ...original,
      kind,
      fields,
      functions: this.#functions(original, functions),
      loops: loops.map((loop) => this.#loop(loop)),
      ...(branches !== undefined && { branches: branches.map(inner) }),
      ...(otherwise !== undefined && { otherwise: inner(otherwise) }),
      ...(body !== undefined && { body: inner(body) }),
    };
  }

  #changed(node: NodeSpec): Changed {
    const { kind, fields, functions } = node;
    if (kind === "approval") {
      const onPause = functions.on_pause ?? (() => undefined);
      return { kind, fields: { ...fields, on_pause: true }, functions: { ...functions, on_pause: onPause } };
    }
    if (kind !== "subflow") return node;
    const { on_error } = functions;
    const asStep = (body: AnyHandler): Changed => ({
      kind: "step",
      fields: {},
      functions: { body, ...(on_error && { on_error }) },
    });
    if (this.#mockedSubflows.has(node.name)) return asStep(() => undefined);
    const error = this.#missing(String(fields["workflow"]), node.name);
    return error === undefined ? node : asStep(() => Promise.reject(error));
  }

  #functions(node: NodeSpec, functions: NodeSpec["functions"]): NodeSpec["functions"] {
    const workflowId = this.options.id;
    const probed = Object.entries(functions).map(([name, original]) => {
      const handler = name as HandlerName;
      return [name, (context: AnyContext) => this.#probe({ workflowId, node, handler, context, original })] as const;
    });
    return Object.fromEntries(probed);
  }

  #loop(original: LoopSpec): LoopSpec {
    let loop = this.#loops.get(original);
    if (loop === undefined) {
      loop = this.#instrumentedLoop(original);
      this.#loops.set(original, loop);
    }
    return loop;
  }

  #instrumentedLoop(original: LoopSpec): LoopSpec {
    const { build } = original;
    if (build === undefined) return original;
    return {
      ...original,
      // Nodes that are built for an item are of that item alone: they are not kept here.
      build: (item, index) =>
        new Map([...build(item, index)].map(([name, node]) => [name, this.#instrumented(node)] as const)),
    };
  }
}

function bare({ hooks: _hooks, secrets: _secrets, ...options }: WorkflowOptions): WorkflowOptions {
  return options;
}

function withHooks({ hooks, ...options }: WorkflowOptions, call: Instruments["hook"]): WorkflowOptions {
  if (hooks === undefined) return options;
  const entries = Object.entries(hooks).map(([name, hook]: [string, Hook]) => {
    const instead: Hook = (context, step) => call(() => hook(context, step));
    return [name, instead] as const;
  });
  return { ...options, hooks: Object.fromEntries(entries) };
}

function withSecrets(
  { secrets, ...options }: WorkflowOptions,
  given: Readonly<Record<string, string>>,
): WorkflowOptions {
  if (secrets === undefined) return options;
  const entries = Object.entries<SecretReference>(secrets).map(([name, found]) => {
    const value = given[name];
    return [name, value === undefined ? found : new TestSecret(`env:${name}`, value)] as const;
  });
  return { ...options, secrets: Object.fromEntries(entries) };
}
