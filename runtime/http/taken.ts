import type { WebhookTrigger } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { HEALTH_PATH } from "./health.ts";
import { MANAGEMENT_PREFIX } from "./prefix.ts";

/** Which webhooks there are: one that another would hide, or that the engine's own routes hide, is an error. */
export class Taken {
  readonly #workflows = new Map<string, string>();

  /** Throws when the path is the engine's own, or another webhook has it with the same method. */
  add(workflowId: string, { path, options: { method = "POST" } }: WebhookTrigger): void {
    const where = `Workflow \`${workflowId}\`: the webhook ${method} ${path}`;
    const plain = path.replace(/\/+$/, "");
    if (plain === HEALTH_PATH || plain === MANAGEMENT_PREFIX || plain.startsWith(`${MANAGEMENT_PREFIX}/`)) {
      throw invalid(`${where} is at a path of the engine's own. Give it another path.`);
    }
    const key = `${method} ${path.replace(PARAMETER_NAME, ":")}`;
    const other = this.#workflows.get(key);
    if (other !== undefined) {
      throw invalid(`${where} is also that of workflow \`${other}\`. Give one of them another path or method.`);
    }
    this.#workflows.set(key, workflowId);
  }
}

/** Paths that differ only in what their parameters are called are the same. */
const PARAMETER_NAME = /:\w+/g;

function invalid(message: string): InvalidError {
  return new InvalidError("definition_invalid", message);
}
