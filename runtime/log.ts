/** Where the engine and handlers write to. `console` is one. */
export interface Logger {
  /** What helps to find out why: each call of a service, to a `log` that was given. */
  debug(message: string, ...details: unknown[]): void;
  /** What is as it should be. */
  info(message: string, ...details: unknown[]): void;
  /** What somebody should look at, and work goes on. */
  warn(message: string, ...details: unknown[]): void;
  /** What did not work. */
  error(message: string, ...details: unknown[]): void;
}

/** How important a line is. */
export type LogLevel = keyof Logger;
