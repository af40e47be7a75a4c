/** A service to copy: rename it, say what it is configured with, and write its actions. */
import { defineService, type Emit, NonRetryableError, type TriggerContext } from "cronflow-ffi";
import { httpUrl, object, text } from "../lib/fields.ts";

export const template = defineService({
  id: "template",
  version: "1",
  schema: {
    // Any Standard Schema, such as one of zod.
    config: object({ url: httpUrl }),
    auth: object({ token: text }),
  },
  setup: ({ config, auth, log, signal }) => {
    // What is made here lives until the engine stops; `signal` is aborted then.
    const headers = { authorization: `Bearer ${auth.token}` };
    return {
      actions: {
        ask: async (path: string): Promise<unknown> => {
          const answer = await fetch(new URL(path, config.url), { headers, signal });
          if (answer.ok) return answer.json();
          const message = `${path} answered ${answer.status}`;
          throw answer.status < 500 ? new NonRetryableError(message) : new Error(message);
        },
      },
      triggers: {
        onTick: (emit: Emit<{ tick: number }>, { everyMs }: { everyMs: number }, _context: TriggerContext) => {
          let tick = 0;
          const next = (): void => {
            tick += 1;
            emit({ tick }).catch((error: unknown) => log.warn("a tick was not taken", error));
          };
          const timer = setInterval(next, everyMs);
          return () => clearInterval(timer);
        },
      },
      start: async () => log.debug("the template begins"),
      stop: async () => log.debug("the template ends"),
    };
  },
});
