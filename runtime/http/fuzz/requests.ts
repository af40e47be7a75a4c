/** Any request to the target: the n-th of a seed is always the same, but for what the engine has given before. */
import { managementRequest } from "./management-requests.ts";
import { mutate } from "./mutations.ts";
import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { WEBHOOK_REQUESTS } from "./webhook-requests.ts";

const HEALTH = 0.01;
const WEBHOOKS = 0.6;

export function anyRequest(random: Random, target: Target): Plan {
  const plan = rightRequest(random, target);
  mutate(plan, random);
  return plan;
}

function rightRequest(random: Random, target: Target): Plan {
  if (random.chance(HEALTH)) {
    return { name: "health", method: "GET", target: "/health", headers: [], body: undefined, delivery: "whole" };
  }
  return random.chance(WEBHOOKS) ? random.pick(WEBHOOK_REQUESTS)(random) : managementRequest(random, target);
}
