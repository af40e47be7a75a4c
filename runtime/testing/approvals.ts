/** Which of the open requests for approval is meant, and what to write when that is not clear. */
import type { PausedWorkflow } from "../records.ts";
import { nodeKey } from "../scope.ts";
import { requestText } from "./waits.ts";

/** Whose request is answered. */
export interface Addressee {
  /** The run of the test: its own requests are meant before those of others, child runs perhaps. */
  readonly own?: string | undefined;
  /** A run, and no other. */
  readonly run?: string | undefined;
  /** A step, or a step in its iteration. */
  readonly step?: string | undefined;
}

/** The requests that may be meant. */
export function meant(open: readonly PausedWorkflow[], { own, run, step }: Addressee): readonly PausedWorkflow[] {
  const named = open.filter(
    (request) =>
      (run === undefined || request.runId === run) &&
      (step === undefined || request.step === step || keyOf(request) === step),
  );
  const ofOwn = named.filter(({ runId }) => runId === own);
  return ofOwn.length > 0 ? ofOwn : named;
}

/**
 * Says of several requests that may be meant which they are, and how the first of them is told from all others.
 *
 * @param shown How the test names a run.
 */
export function choice(
  word: string,
  open: readonly PausedWorkflow[],
  found: readonly PausedWorkflow[],
  { own }: Addressee,
  shown: (runId: string) => string,
): string {
  const areRunsDifferent = new Set(found.map(({ runId }) => runId)).size > 1;
  const names = found.map((one) => `\`${keyOf(one)}\`${areRunsDifferent ? ` of ${shown(one.runId)}` : ""}`);
  const [first] = found as [PausedWorkflow, ...PausedWorkflow[]];
  const [step, run] = [keyOf(first), first.runId];
  // Each is what the test would say instead: the shortest that means the first alone.
  const ways = [{ step }, { run }, { run, step }];
  const isFirst = (request: PausedWorkflow): boolean => request === first;
  const way = ways.find((said) => meant(open, { own, ...said }).every(isFirst)) ?? { run, step };
  const which = "run" in way ? { ...way, run: shown(way.run) } : way;
  return `.${word}(): several steps wait for a person: ${names.join(", ")}. Say which: ${requestText(word, which)}.`;
}

export function keyOf({ step, scope }: PausedWorkflow): string {
  return nodeKey(step, scope);
}
