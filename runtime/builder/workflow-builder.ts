import type { Definition, WebhookOptions } from "../definition.ts";
import type { Schema } from "../schema.ts";
import { FlowBuilder } from "./flow-builder.ts";

/** What the words of a workflow do that a flow inside it does not have. */
export class WorkflowBuilder extends FlowBuilder {
  constructor(readonly definition: Definition) {
    super(definition.sequence);
  }

  get id(): string {
    return this.definition.id;
  }

  onWebhook(path: string, options: WebhookOptions = {}): this {
    this.definition.triggers.push({ type: "webhook", path, options });
    return this;
  }

  manual(options: { readonly schema?: Schema } = {}): this {
    this.definition.triggers.push({ type: "manual", ...options });
    return this;
  }
}
