/** A run as it was recorded: what each function gave, attempt by attempt. */
import type { AttemptRecord, RunRecord } from "../../records.ts";
import { nodeKey } from "../../scope.ts";

/** A record as `inspect` gives it, or what its JSON reads as: dates are texts there. */
export type Recording =
  | RunRecord
  | {
      /** The run. */
      readonly runId: string;
      /** The workflow it was a run of. */
      readonly workflowId: string;
      /** Every ended attempt, in order. */
      readonly attempts: unknown;
    };

/**
 * Attempts that are not compared: a person was told, a run was taken up again, a child run began (what it was given is
 * looked at when it is called).
 */
const ASIDE: ReadonlySet<AttemptRecord["handler"]> = new Set([
  "start",
  "input",
  "retry",
  "on_pause",
  "filter",
  "on_success",
  "on_failure",
]);

export class Recorded {
  readonly record: RunRecord;
  readonly #given = new Map<string, AttemptRecord[]>();
  readonly #taken = new Map<string, number>();

  constructor(given: Recording | string) {
    this.record = read(given);
    const inputs = this.record.attempts.filter(({ handler, status }) => handler === "input" && status === "completed");
    for (const attempt of [...meaningful(this.record.attempts), ...inputs]) {
      const key = keyOf(attempt);
      const others = this.#given.get(key) ?? [];
      this.#given.set(key, [...others, attempt]);
    }
  }

  get hasEnded(): boolean {
    return ["completed", "failed", "cancelled"].includes(this.record.status);
  }

  /** What the function gave the next time it was called. */
  next(step: string, handler: AttemptRecord["handler"]): AttemptRecord | undefined {
    const key = `${step} ${handler}`;
    const taken = this.#taken.get(key) ?? 0;
    this.#taken.set(key, taken + 1);
    return this.#given.get(key)?.[taken];
  }

  /** How a wait ended, if it did. */
  end(step: string): AttemptRecord | undefined {
    return this.#given.get(`${step} body`)?.at(-1);
  }

  /** Whether it was called as often, or more. */
  hasNext(step: string, handler: AttemptRecord["handler"]): boolean {
    const key = `${step} ${handler}`;
    return (this.#given.get(key)?.length ?? 0) > (this.#taken.get(key) ?? 0);
  }
}

/** What is compared, and what is used again. */
export function meaningful(attempts: readonly AttemptRecord[]): readonly AttemptRecord[] {
  const upTo = attempts.findLastIndex(({ handler }) => handler === "retry");
  return attempts.filter((attempt, index) => {
    if (ASIDE.has(attempt.handler) || attempt.status === "interrupted") return false;
    // What had failed before the run was taken up again was done again.
    return index > upTo || attempt.status === "completed" || attempt.retryAt !== undefined;
  });
}

/** Which function of which node, in which iteration. */
export function keyOf({ step, scope, handler }: AttemptRecord): string {
  return `${nodeKey(step, scope)} ${handler}`;
}

function read(given: Recording | string): RunRecord {
  const record = (typeof given === "string" ? JSON.parse(given) : structuredClone(given)) as RunRecord;
  if (typeof record?.workflowId !== "string" || !Array.isArray(record.attempts)) {
    throw new TypeError("this is no record of a run: give what inspect() gives, or its JSON");
  }
  const attempts = record.attempts.map((attempt: AttemptRecord) => ({
    ...attempt,
    finishedAt: new Date(attempt.finishedAt),
    ...(attempt.startedAt !== undefined && { startedAt: new Date(attempt.startedAt) }),
    ...(attempt.retryAt !== undefined && { retryAt: new Date(attempt.retryAt) }),
  }));
  return { ...record, createdAt: new Date(record.createdAt), attempts };
}
