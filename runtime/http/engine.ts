import type { Definitions } from "../definitions.ts";
import type { Logger } from "../log.ts";
import type { Session, StartedRun } from "../session.ts";

/** What routes need of the engine. */
export interface HttpEngine {
  readonly definitions: Definitions;
  /** The started session; throws when there is none. */
  readonly session: () => Session;
  /** The output of a run once it has ended. */
  readonly outcome: (started: StartedRun) => Promise<unknown>;
  readonly log: () => Logger;
}
