/** A workflow as the builder leaves it: what the core is told of it, and the functions that stay here. */
import { nodeMessage } from "./definition/message.ts";
import type { LoopSpec, NodeSpec } from "./definition/node.ts";
import type { WorkflowOptions } from "./definition/options.ts";
import { Registry } from "./definition/registry.ts";
import { Sequence } from "./definition/sequence.ts";
import { scheduleMessages } from "./definition/timed.ts";
import type { Trigger } from "./definition/triggers.ts";
import { checkWorkflowOptions, workflowMessage } from "./definition/workflow-options.ts";
import type { DefinitionMessage } from "./native/protocol.ts";

export type { AnyHandler, LoopSpec, NodeSpec } from "./definition/node.ts";
export type {
  BackoffOptions,
  CacheOptions,
  CircuitBreakerOptions,
  ConcurrencyOptions,
  Hook,
  QueueOptions,
  RateLimitOptions,
  RetryOptions,
  SecretReferences,
  StepOptions,
  WorkflowOptions,
} from "./definition/options.ts";
export type * from "./definition/triggers.ts";
export type { HandlerName } from "./native/protocol.ts";

/** A whole workflow. */
export class Definition {
  readonly triggers: Trigger[] = [];
  /** The nodes outside of all blocks, while and after they are added. */
  readonly sequence: Sequence;

  constructor(readonly options: WorkflowOptions) {
    checkWorkflowOptions(options);
    this.sequence = new Sequence(new Registry(options.id));
  }

  get id(): string {
    return this.options.id;
  }

  /** A node, however deep it is nested. */
  node(name: string): NodeSpec | undefined {
    return this.sequence.registry.byName.get(name);
  }

  /** All nodes by name, in the order they were written. */
  get nodes(): ReadonlyMap<string, NodeSpec> {
    return this.sequence.registry.byName;
  }

  /** A loop, if a node of this name is one. */
  loop(name: string): LoopSpec | undefined {
    for (const { loops } of this.nodes.values()) {
      const found = loops.find((loop) => loop.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What the core is told. Throws when an if is still open. */
  toMessage(): DefinitionMessage {
    const { options } = this;
    const schedules = scheduleMessages(options, this.triggers);
    return {
      ...workflowMessage(options),
      ...(schedules.length > 0 && { schedules }),
      nodes: this.sequence.close().map((node) => nodeMessage(node, options.id, options.retry)),
    };
  }
}
