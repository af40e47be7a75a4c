/** What is said of the events that a workflow listens to. */
import type { OutputOf, Schema } from "../schema.ts";

/** Which events of a name start a run. */
export interface EventOptions<S extends Schema = Schema> {
  /** Parses what the event says; the parsed value is the payload. An event that does not fit starts nothing, and is logged. */
  readonly schema?: S;
  /** Whether an event starts a run. Default: it does. */
  filter?(payload: OutputOf<S>): boolean;
}
