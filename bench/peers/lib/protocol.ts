/** What the orchestrator asks of a worker program, and what that answers. */

/** Begins each line that is an answer. */
export const ANSWER = "@peers ";

export interface Commands {
  /** Runs of three steps, always so many in flight, started for so long or until there were so many. */
  readonly runs: { readonly inFlight: number; readonly milliseconds: number; readonly most?: number };
  /** A server whose `POST /hook` answers when the run it has started is done. */
  readonly webhook: Record<never, never>;
  /** Starts runs that sleep; answers when all of them sleep or the time is over. */
  readonly sleepers: { readonly count: number; readonly milliseconds: number };
  /** Starts runs of slow steps, some of them late; answers when it is time to be killed. */
  readonly crash: {
    readonly runs: number;
    readonly late: number;
    readonly acknowledgements: string;
    readonly milliseconds: number;
  };
  /** After a crash: what has become of these runs, when all have ended or the time is over. */
  readonly outcome: { readonly ids: readonly string[]; readonly milliseconds: number };
  /** Collects garbage, so that memory can be measured. */
  readonly collect: Record<never, never>;
}

export interface Answers {
  readonly runs: {
    readonly runs: number;
    readonly seconds: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    /** Started, and without a result when the patience was over. */
    readonly unfinished: number;
  };
  readonly webhook: { readonly port: number };
  readonly sleepers: { readonly acknowledged: number; readonly asleep: number; readonly seconds: number };
  readonly crash: { readonly executed: number };
  readonly outcome: {
    readonly ended: readonly string[];
    readonly failed: readonly string[];
    readonly unknown: readonly string[];
    readonly open: readonly string[];
  };
  readonly collect: Record<never, never>;
}
