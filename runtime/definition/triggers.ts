/** What starts the runs of a workflow. */
import type { MiddlewareHandler } from "hono";
import type { Duration } from "../duration.ts";
import type { Schema } from "../schema.ts";

/** What a webhook does with a request. */
export interface WebhookOptions<S extends Schema = Schema> {
  /** Default `"POST"`. */
  readonly method?: "POST" | "PUT" | "PATCH" | "DELETE";
  /** Parses the body; the parsed value is the payload. Without it any JSON is. */
  readonly schema?: S;
  /** Two requests with the same key start one run. */
  readonly idempotencyKey?: (request: Request) => string | null | undefined;
  /** `"accepted"` answers 202 after the commit, `"result"` waits for the run's output. Default `"accepted"`. */
  readonly respond?: "accepted" | "result";
  /** How long `respond: "result"` waits before it answers 504. Default 30 s. */
  readonly timeout?: Duration;
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number;
  /** Hono middleware, before anything else. */
  readonly middleware?: readonly MiddlewareHandler[];
}

export interface WebhookTrigger {
  readonly type: "webhook";
  readonly path: string;
  readonly options: WebhookOptions;
}

export interface ManualTrigger {
  readonly type: "manual";
  readonly schema?: Schema;
}

export type Trigger = WebhookTrigger | ManualTrigger;
