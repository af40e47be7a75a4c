/** Checks what is said of a whole workflow, and what the core is told of it. */

import { milliseconds } from "../duration.ts";
import { LIMITS } from "../native/generated.ts";
import type { DefinitionMessage } from "../native/protocol.ts";
import { checkServices } from "../services/define.ts";
import { SecretReference } from "../services/secrets/reference.ts";
import { checkDuration, checkFunction, checkName, checkWhole, invalid, LARGEST_COUNT } from "./check.ts";
import type { QueueOptions, WorkflowOptions } from "./options.ts";
import { checkRetry } from "./step-options.ts";

export function checkWorkflowOptions(options: WorkflowOptions): void {
  const { id, timeout, concurrency, rateLimit, priority, retention, retry, services, secrets } = options;
  checkName("workflow id", id);
  const where = `Workflow \`${id}\``;
  if (timeout !== undefined) checkDuration(where, "timeout", timeout, 1);
  if (retention !== undefined) checkDuration(where, "retention", retention);
  if (concurrency !== undefined) {
    const { limit, key } = typeof concurrency === "object" ? concurrency : { limit: concurrency, key: undefined };
    checkWhole(where, "concurrency", limit, 1, LARGEST_COUNT);
    if (key !== undefined) checkFunction(where, "the `key` of concurrency", key);
  }
  if (rateLimit !== undefined) {
    checkWhole(where, "rateLimit.count", rateLimit.count, 1, LIMITS.RATE_COUNT);
    checkDuration(where, "rateLimit.per", rateLimit.per, 1);
    if (rateLimit.key !== undefined) checkFunction(where, "the `key` of rateLimit", rateLimit.key);
  }
  const queue = queueOf(options);
  if (queue !== undefined) {
    checkName(`queue of ${where}`, queue.name);
    if (queue.concurrency !== undefined) checkWhole(where, "queue.concurrency", queue.concurrency, 1, LARGEST_COUNT);
  }
  if (priority !== undefined) checkWhole(where, "priority", priority, -LIMITS.PRIORITY, LIMITS.PRIORITY);
  if (retry !== undefined) checkRetry(where, retry);
  if (services !== undefined) checkServices(where, services);
  for (const [name, found] of Object.entries(secrets ?? {})) {
    if (!(found instanceof SecretReference)) throw invalid(`${where}: \`secrets.${name}\` is no secret("env:NAME").`);
  }
}

export function workflowMessage(options: WorkflowOptions): Omit<DefinitionMessage, "nodes"> {
  const { id, version, timeout, hooks, concurrency, rateLimit, priority, retention } = options;
  const queue = queueOf(options);
  return {
    id,
    ...(version !== undefined && { version }),
    ...(timeout !== undefined && { timeout_ms: milliseconds(timeout) }),
    ...(hooks?.onSuccess !== undefined && { on_success: true }),
    ...(hooks?.onFailure !== undefined && { on_failure: true }),
    ...(concurrency !== undefined && {
      concurrency: typeof concurrency === "object" ? concurrency.limit : concurrency,
    }),
    ...(rateLimit !== undefined && { rate_limit: { count: rateLimit.count, per_ms: milliseconds(rateLimit.per) } }),
    ...(queue !== undefined && { queue }),
    ...(priority !== undefined && { priority }),
    ...(retention !== undefined && { retention_ms: milliseconds(retention) }),
  };
}

function queueOf({ queue }: WorkflowOptions): QueueOptions | undefined {
  if (typeof queue !== "object") return queue === undefined ? undefined : { name: queue };
  const { name, concurrency } = queue;
  return { name, ...(concurrency !== undefined && { concurrency }) };
}
