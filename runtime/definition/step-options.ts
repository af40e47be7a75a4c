/** Checks what is said of one step, where it is said. */
import { LIMITS } from "../native/generated.ts";
import { checkDuration, checkFunction, checkName, checkWhole, invalid, LARGEST_COUNT, shown } from "./check.ts";
import type { RetryOptions, StepOptions } from "./options.ts";

const STRATEGIES: unknown[] = ["fixed", "linear", "exponential"];

/** `where` begins messages: "Workflow `x`, step `y`, number 3". `standardName` is the name of its breaker. */
export function checkStepOptions(where: string, options: StepOptions, standardName: string): void {
  const { retry, timeout, delay, cache, circuitBreaker } = options;
  if (retry !== undefined) checkRetry(where, retry);
  if (timeout !== undefined) checkDuration(where, "timeout", timeout, 1);
  if (delay !== undefined) checkDuration(where, "delay", delay);
  if (cache !== undefined) {
    checkFunction(where, "the `key` of cache", cache.key);
    checkDuration(where, "ttl", cache.ttl, 1);
  }
  if (circuitBreaker !== undefined) {
    const { name = standardName, failureThreshold = 5, recoveryTimeout = 30_000 } = circuitBreaker;
    checkName(`\`name\` of the circuitBreaker of ${where}`, name);
    checkWhole(where, "failureThreshold", failureThreshold, 1, LARGEST_COUNT);
    checkDuration(where, "recoveryTimeout", recoveryTimeout);
  }
}

export function checkRetry(where: string, retry: RetryOptions): void {
  const { attempts = 3, backoff = {}, retryOn, onRetry } = retry;
  const { strategy = "exponential", delay = 1_000, maxDelay = 0, multiplier = 2, jitter = 0 } = backoff;
  checkWhole(where, "attempts", attempts, 1, LIMITS.RETRY_ATTEMPTS);
  if (!STRATEGIES.includes(strategy)) {
    throw invalid(`${where}: \`strategy\` is ${shown(strategy)}; give one of ${STRATEGIES.join(", ")}.`);
  }
  checkDuration(where, "backoff.delay", delay);
  checkDuration(where, "maxDelay", maxDelay);
  if (!(multiplier >= 1 && multiplier <= 1_000)) {
    throw invalid(`${where}: \`multiplier\` is ${shown(multiplier)}; give a number from 1 to 1,000.`);
  }
  if (!(Number(jitter) >= 0 && Number(jitter) <= 1)) {
    throw invalid(`${where}: \`jitter\` is ${shown(jitter)}; give a number from 0 to 1, or true.`);
  }
  if (retryOn !== undefined) checkFunction(where, "retryOn", retryOn);
  if (onRetry !== undefined) checkFunction(where, "onRetry", onRetry);
}
