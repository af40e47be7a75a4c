import type { Context } from "hono";

/** An answer that can be given again: the one that was given first may have been changed, or read. */
export type Answer = (context: Context) => Response;
