/** The order in which webhooks are tried. It does not depend on the order in which they are defined. */

import { bySpecificity, type PathPattern, pathPatterns } from "../definition/webhook-path.ts";
import type { Definition, WebhookTrigger } from "../definition.ts";
import { InvalidError } from "../errors.ts";
import { HEALTH_PATH } from "./health.ts";
import { type Clash, Patterns } from "./patterns.ts";
import { MANAGEMENT_PREFIX } from "./prefix.ts";

/** A webhook at one of its paths. */
export interface PlacedWebhook {
  readonly workflowId: string;
  readonly trigger: WebhookTrigger;
}

/**
 * All webhooks, the more specific paths first: texts before parameters, parameters before `*`. One whose path may be left
 * in part is there with each of its paths. Throws an `InvalidError` for one that the engine's own routes hide, and for two
 * of which nobody could say which a request is for.
 */
export function webhooksInOrder(definitions: Iterable<Definition>): readonly PlacedWebhook[] {
  const places: Place[] = [];
  const byMethod = new Map<string, Patterns<Place>>();
  for (const { id, triggers } of definitions) {
    for (const trigger of triggers) {
      if (trigger.type !== "webhook") continue;
      for (const pattern of pathPatterns(id, trigger.path)) {
        const place = { workflowId: id, trigger, pattern };
        check(place, byMethod);
        places.push(place);
      }
    }
  }
  places.sort((one, other) => bySpecificity(one.pattern, other.pattern));
  return places.map(({ workflowId, trigger, pattern }) => ({
    workflowId,
    trigger: { ...trigger, path: pattern.path },
  }));
}

interface Place extends PlacedWebhook {
  readonly pattern: PathPattern;
}

/** Throws if a place is the engine's own, or in the way of those before it, to which it is added. */
function check(place: Place, byMethod: Map<string, Patterns<Place>>): void {
  const { workflowId, pattern } = place;
  const where = `Workflow \`${workflowId}\`: the webhook ${nameOf(place)}`;
  const plain = pattern.path.replace(/\/+$/, "");
  if (plain === HEALTH_PATH || plain === MANAGEMENT_PREFIX || plain.startsWith(`${MANAGEMENT_PREFIX}/`)) {
    throw invalid(`${where} is at a path of the engine's own. Give it another path.`);
  }
  const others = byMethod.get(methodOf(place)) ?? new Patterns<Place>();
  const other = others.firstInTheWayOf(pattern);
  if (other !== undefined)
    throw invalid(`${where} ${PROBLEMS[other.clash](nameOf(other.value), other.value.workflowId)}`);
  others.add(pattern, place);
  byMethod.set(methodOf(place), others);
}

const PROBLEMS: Record<Clash, (other: string, workflowId: string) => string> = {
  same: (_, workflowId) => `is also that of workflow \`${workflowId}\`. Give one of them another path or method.`,
  unclear: (other, workflowId) =>
    `and ${other} of workflow \`${workflowId}\` may match the same request, and neither is the more specific. Give one of them another path or method.`,
};

function methodOf({ trigger }: PlacedWebhook): string {
  return trigger.options.method ?? "POST";
}

function nameOf(place: Place): string {
  return `${methodOf(place)} ${place.pattern.path}`;
}

function invalid(message: string): InvalidError {
  return new InvalidError("definition_invalid", message);
}
