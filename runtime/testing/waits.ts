/** What a run waits for, as the core tells it, and what to write in a test so that it goes on. */
import type { HandlerName } from "../native/protocol.ts";
import { nodeKey } from "../scope.ts";
import { durationText } from "./duration-text.ts";

/** What one path of a run waits for, or executes. */
export interface WaitMessage {
  readonly step: string;
  readonly scope?: string;
  readonly for: "start" | "sleep" | "event" | "approval" | "child" | "delay" | "retry" | "slot" | "handler";
  readonly handler?: HandlerName;
  readonly attempt?: number;
  readonly until_ms?: number;
  readonly event?: string;
  readonly child?: string;
}

/** Asks the core. */
export function waitsQuery(runId: string): string {
  return `{"query":{"waits":{"run":${JSON.stringify(runId)}}}}`;
}

/** A sentence of each: what is waited for, and what goes on with it. */
export function waitTexts(waits: readonly WaitMessage[], nowMs: number): string[] {
  const areSeveralAsked = waits.filter((wait) => wait.for === "approval").length > 1;
  return waits.map((wait) => waitText(wait, nowMs, areSeveralAsked));
}

/** A call that answers a request for approval. `which`: it says whose. */
export function requestText(word: string, which?: { readonly run?: string; readonly step?: string }): string {
  if (which === undefined) return `.${word}()`;
  const fields = Object.entries(which).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  return `.${word}({}, { ${fields.join(", ")} })`;
}

function waitText(wait: WaitMessage, nowMs: number, areSeveralAsked: boolean): string {
  const step = `\`${nodeKey(wait.step, wait.scope)}\``;
  const until = wait.until_ms === undefined ? "" : ` until ${new Date(wait.until_ms).toISOString()}`;
  const advance = wait.until_ms === undefined ? undefined : `\`.advance("${durationText(wait.until_ms - nowMs)}")\``;
  switch (wait.for) {
    case "start":
      return `it begins${until.replace(" until", " at")}: write ${advance}.`;
    case "sleep":
      return `${step} sleeps${until}: write ${advance}.`;
    case "delay":
      return `the first attempt of ${step} is delayed${until}: write ${advance}.`;
    case "retry":
      return `attempt ${wait.attempt} of ${step} waits${until}: write ${advance}.`;
    case "event":
      return `${step} waits for the event \`${wait.event}\`${until}: write \`.mockEvent("${wait.event}", …)\`${orElse(advance)}.`;
    case "approval": {
      const which = areSeveralAsked ? { step: nodeKey(wait.step, wait.scope) } : undefined;
      const words = ["approve", "reject"].map((word) => `\`${requestText(word, which)}\``);
      return `${step} waits for a person${until}: write ${words.join(" or ")}${orElse(advance)}.`;
    }
    case "child":
      return `${step} waits for its child run${wait.child === undefined ? "" : ` ${wait.child}`}.`;
    case "slot":
      return `${step} is ready, and waits for a slot: its workflow is paused, or as many runs execute as may.`;
    case "handler":
      return `${functionName(wait)} of ${step} still executes, in attempt ${wait.attempt}${until === "" ? "" : `, at most${until}: write ${advance}`}.`;
  }
}

function orElse(advance: string | undefined): string {
  return advance === undefined ? "" : `, or ${advance} for its time-out`;
}

function functionName({ handler = "body" }: WaitMessage): string {
  return handler === "body" ? "the handler" : `\`${handler}\``;
}
