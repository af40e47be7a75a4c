/**
 * A workflow as tests run it: the same definition for the core, but each of its functions is called through a probe. It
 * differs in two things: requests for approval tell their token to the probe, and child runs that are mocked are steps.
 */
import { nodeMessage } from "../definition/message.ts";
import type { AnyHandler, LoopSpec, NodeSpec } from "../definition/node.ts";
import { Definition } from "../definition.ts";
import type { DefinitionMessage, HandlerName } from "../native/protocol.ts";
import type { AnyContext } from "../context.ts";

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

export class InstrumentedDefinition extends Definition {
  readonly #original: Definition;
  readonly #probe: Probe;
  readonly #mockedSubflows: ReadonlySet<string>;
  readonly #wrapped = new Map<NodeSpec, NodeSpec>();
  readonly #loops = new Map<LoopSpec, LoopSpec>();
  readonly #nodes: ReadonlyMap<string, NodeSpec>;

  constructor(original: Definition, probe: Probe, mockedSubflows: ReadonlySet<string> = new Set()) {
    super(original.options);
    this.#original = original;
    this.#probe = probe;
    this.#mockedSubflows = mockedSubflows;
    this.triggers.push(...original.triggers);
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
    const nodes = this.#original.sequence.close().map((node) => nodeMessage(this.#node(node), id, retry));
    return { ...this.#original.toMessage(), nodes };
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

  #changed(node: NodeSpec): Pick<NodeSpec, "kind" | "fields" | "functions"> {
    const { kind, fields, functions } = node;
    if (kind === "approval") {
      const onPause = functions.on_pause ?? (() => undefined);
      return { kind, fields: { ...fields, on_pause: true }, functions: { ...functions, on_pause: onPause } };
    }
    if (kind === "subflow" && this.#mockedSubflows.has(node.name)) {
      const { on_error } = functions;
      return { kind: "step", fields: {}, functions: { body: () => undefined, ...(on_error && { on_error }) } };
    }
    return node;
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
