import type { Cronflow } from "../app.ts";
import type { Definitions } from "../definitions.ts";
import type { Logger } from "../log.ts";
import type { Session, StartedRun } from "../session.ts";
import type { HttpOptions } from "./options.ts";

/** What routes need of the engine. */
export interface HttpEngine {
  readonly definitions: Definitions;
  /** The started session; throws when there is none. */
  readonly session: () => Session;
  /** The output of a run once it has ended. An aborted signal takes the waiter away; the run goes on. */
  readonly outcome: (started: StartedRun, signal?: AbortSignal) => Promise<unknown>;
  readonly log: () => Logger;
  /** The time the engine goes by, in milliseconds since 1970. */
  readonly now: () => number;
  /** What the management routes call. */
  readonly verbs: EngineVerbs;
  /** What the engine was created or started with; `start` may still change it after the routes were made. */
  readonly http: HttpOptions;
  /** Milliseconds since the engine was started. */
  readonly uptimeMs: () => number;
}

/** The engine's public verbs, as far as routes use them. */
export type EngineVerbs = Pick<
  Cronflow,
  | "trigger"
  | "inspect"
  | "list"
  | "cancelRun"
  | "retryRun"
  | "replay"
  | "resume"
  | "listPausedWorkflows"
  | "getPausedWorkflow"
  | "publishEvent"
  | "schedules"
  | "pause"
  | "unpause"
>;
