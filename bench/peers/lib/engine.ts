/** What the worker program asks of an engine. One file of `engines/` per engine implements it. */

/** Where an engine runs, and what its steps do. */
export interface Context {
  /** The name of the setting, as `peers.ts` lists it. */
  readonly setting: string;
  /** A directory of its own; empty at first, the same after a crash. */
  readonly directory: string;
  /** The address of the engine's server; empty for engines that live in the process. */
  readonly server: string;
  /** The body of each of the three steps of a run. */
  step(run: number, step: number): void | Promise<void>;
  /** Called by a sleeping run right before it sleeps. */
  asleep(): void;
}

/**
 * `ended`: with a result. `open`: not yet. `failed`: it ended without. `unknown`: the engine has never heard of it.
 */
export type State = "ended" | "open" | "failed" | "unknown";

/** An engine that knows two workflows: three steps, and one sleep of an hour. */
export interface Engine {
  /** Starts a run of three steps and waits for its result, in the way the engine's documentation shows. */
  execute(run: number): Promise<unknown>;
  /** Starts a run of three steps; resolves with its id as soon as the engine has acknowledged it. */
  start(run: number): Promise<string>;
  /** Starts a run that sleeps for an hour; resolves when it is acknowledged. */
  sleep?(run: number): Promise<unknown>;
  /** What has become of a run, asked after a crash. */
  state(id: string): Promise<State>;
  /** What a program must do after a crash so that its runs go on, if that is not done by opening the engine. */
  recover?(): Promise<void>;
  /** A port where `POST /hook` answers when the run is done, for engines that bring webhooks. */
  webhook?(): Promise<number>;
  stop(): Promise<void>;
}

export type Open = (context: Context) => Promise<Engine>;

/** How long a sleeper sleeps: far longer than it is looked at. */
export const SLEEP_MS = 60 * 60_000;
