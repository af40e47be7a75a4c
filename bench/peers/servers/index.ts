/** The servers that engines need. */
import { postgres } from "./postgres.ts";
import { redis } from "./redis.ts";
import { restate } from "./restate.ts";
import type { Kind } from "./server.ts";

export const SERVERS = { postgres, redis, restate } satisfies Record<string, Kind>;

export type ServerName = keyof typeof SERVERS;
