/** What the core is told of a node. */
import { milliseconds } from "../duration.ts";
import type { CircuitMessage, NodeMessage, RetryMessage } from "../native/protocol.ts";
import type { NodeSpec } from "./node.ts";
import type { CircuitBreakerOptions, RetryOptions } from "./options.ts";

/** @param standard The workflow's retry policy, for steps that have none of their own. */
export function nodeMessage(node: NodeSpec, workflowId: string, standard?: RetryOptions): NodeMessage {
  const { kind, name, options, functions, fields, branches, otherwise, body } = node;
  const { timeout, delay, cache, circuitBreaker } = options;
  const retry = options.retry ?? (kind === "step" || kind === "action" ? standard : undefined);
  const block = (nodes: readonly NodeSpec[]): NodeMessage[] =>
    nodes.map((inner) => nodeMessage(inner, workflowId, standard));
  return {
    kind,
    name,
    ...(timeout !== undefined && { timeout_ms: milliseconds(timeout) }),
    ...(delay !== undefined && { delay_ms: milliseconds(delay) }),
    ...(retry !== undefined && { retry: retryMessage(retry) }),
    ...(functions.on_error !== undefined && { on_error: true }),
    ...(cache !== undefined && { cache: true }),
    ...(circuitBreaker !== undefined && { circuit: circuitMessage(circuitBreaker, `${workflowId}.${name}`) }),
    ...fields,
    ...(branches !== undefined && { branches: branches.map(block) }),
    ...(otherwise !== undefined && { otherwise: block(otherwise) }),
    ...(body !== undefined && { body: block(body) }),
    // The fields of each kind are written where nodes of that kind are made.
  } as NodeMessage;
}

function retryMessage({ attempts = 3, backoff = {} }: RetryOptions): RetryMessage {
  const { strategy = "exponential", delay = 1_000, maxDelay, multiplier, jitter } = backoff;
  return {
    attempts,
    strategy,
    delay_ms: milliseconds(delay),
    ...(maxDelay !== undefined && { max_delay_ms: milliseconds(maxDelay) }),
    ...(multiplier !== undefined && { multiplier }),
    ...(jitter !== undefined && { jitter: Number(jitter) }),
  };
}

function circuitMessage(options: CircuitBreakerOptions, standardName: string): CircuitMessage {
  const { name = standardName, failureThreshold = 5, recoveryTimeout = 30_000 } = options;
  return { name, threshold: failureThreshold, recovery_ms: milliseconds(recoveryTimeout) };
}
