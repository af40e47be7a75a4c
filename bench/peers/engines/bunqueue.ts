/**
 * The workflow engine of bunqueue, embedded. Without a path it keeps everything in memory, which is its default; with one
 * its executions and its queue share a SQLite file.
 */
import { join } from "node:path";
import { Engine, Workflow } from "bunqueue/workflow";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

const STATES: Record<string, State> = { completed: "ended", failed: "failed" };

export const open: Open = async (context) => {
  const ends = new Map<string, PromiseWithResolvers<void>>();
  /** The end of a run, whoever asks first: we for it, or its event. */
  const endOf = (id: string): PromiseWithResolvers<void> => {
    const end = ends.get(id) ?? Promise.withResolvers<void>();
    ends.set(id, end);
    return end;
  };
  const engine = new Engine({
    embedded: true,
    concurrency: 100,
    ...(context.setting === "default" ? {} : { dataPath: join(context.directory, "bunqueue.db") }),
  });
  const run = (input: unknown): number => (input as { run: number }).run;
  engine.register(
    new Workflow("steps")
      .step("one", async (ctx) => context.step(run(ctx.input), 1))
      .step("two", async (ctx) => context.step(run(ctx.input), 2))
      .step("three", async (ctx) => context.step(run(ctx.input), 3)),
  );
  // There is no sleep: a wait for a signal that never comes, with a time-out, is the nearest there is.
  engine.register(
    new Workflow("sleeper").step("before", async () => context.asleep()).waitFor("never", { timeout: SLEEP_MS }),
  );
  engine.on("workflow:completed", ({ executionId }) => endOf(executionId).resolve());
  engine.on("workflow:failed", ({ executionId }) => endOf(executionId).reject(new Error(`${executionId} failed`)));
  return {
    execute: async (run) => {
      const { id } = await engine.start("steps", { run });
      await endOf(id).promise;
      ends.delete(id);
    },
    start: async (run) => (await engine.start("steps", { run })).id,
    sleep: (run) => engine.start("sleeper", { run }),
    state: async (id) => {
      const execution = engine.getExecution(id);
      return execution === null ? "unknown" : (STATES[execution.state] ?? "open");
    },
    recover: async () => {
      await engine.recover();
    },
    stop: () => engine.close(true),
  };
};
