/** cronflow-ffi, of this checkout. */
import { join } from "node:path";
import { createCronflow, type Logger, NotFoundError } from "../../../runtime/index.ts";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

const STATES: Record<string, State> = { completed: "ended", failed: "failed", cancelled: "failed", stuck: "failed" };

export const open: Open = async (context) => {
  const log: Logger = { ...console, info() {} };
  const engine = createCronflow({
    database: join(context.directory, "cronflow.db"),
    durability: context.setting === "relaxed" ? "relaxed" : "full",
    concurrency: 1_000,
    log,
  });
  engine
    .define({ id: "steps" })
    .onWebhook("/hook", { respond: "result" })
    .step("one", (ctx) => context.step(runOf(ctx.payload), 1))
    .step("two", (ctx) => context.step(runOf(ctx.payload), 2))
    .step("three", (ctx) => context.step(runOf(ctx.payload), 3));
  engine.define({ id: "sleeper" }).sleep(() => {
    context.asleep();
    return SLEEP_MS;
  });
  await engine.start({ handleSignals: false, port: 0, hostname: "127.0.0.1" });
  return {
    execute: (run) => engine.execute("steps", { run }),
    start: (run) => engine.trigger("steps", { run }),
    sleep: (run) => engine.trigger("sleeper", { run }),
    state: async (id) => {
      try {
        const { status } = await engine.inspect(id);
        return STATES[status] ?? "open";
      } catch (error) {
        if (error instanceof NotFoundError) return "unknown";
        throw error;
      }
    },
    webhook: async () => Number(engine.url?.port),
    stop: () => engine.stop(),
  };
};

/** The number that a run was started with; a webhook's body has none. */
function runOf(payload: unknown): number {
  return (payload as { run?: number }).run ?? 0;
}
