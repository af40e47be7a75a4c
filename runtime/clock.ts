/** The time the engine goes by. Tests have one of their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back after so many milliseconds; gives what takes it back. */
  after(ms: number, call: () => void): () => void;
}

/** The time on the wall. */
export const wallClock: Clock = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};
