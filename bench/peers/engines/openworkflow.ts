/**
 * OpenWorkflow with its SQLite backend. Its handles look for a result once a second, which no option changes; the setting
 * `polled` looks after 5 ms, then less and less often, by the backend's public `getWorkflowRun`.
 */
import { join } from "node:path";
import { OpenWorkflow } from "openworkflow";
import { BackendSqlite } from "openworkflow/sqlite";
import type { Open, State } from "../lib/engine.ts";
import { pause } from "../lib/time.ts";

const STATES: Record<string, State> = {
  completed: "ended",
  succeeded: "ended",
  failed: "failed",
  canceled: "failed",
};

export const open: Open = async (context) => {
  const backend = BackendSqlite.connect(join(context.directory, "openworkflow.db"));
  const engine = new OpenWorkflow({ backend });
  const steps = engine.defineWorkflow<{ run: number }, null>({ name: "steps" }, async ({ input, step }) => {
    for (const number of [1, 2, 3]) await step.run({ name: `step-${number}` }, () => context.step(input.run, number));
    return null;
  });
  const sleeper = engine.defineWorkflow({ name: "sleeper" }, async ({ step }) => {
    context.asleep();
    await step.sleep("long", "1h");
  });
  const worker = engine.newWorker({ concurrency: 50 });
  await worker.start();

  const state = async (id: string): Promise<State> => {
    const run = await backend.getWorkflowRun({ workflowRunId: id });
    return run === null ? "unknown" : (STATES[run.status] ?? "open");
  };
  return {
    execute: async (run) => {
      const handle = await steps.run({ run });
      if (context.setting !== "polled") return await handle.result();
      for (let wait = 5; (await state(handle.workflowRun.id)) === "open"; wait = Math.min(10, wait * 2))
        await pause(wait);
    },
    start: async (run) => (await steps.run({ run })).workflowRun.id,
    sleep: () => sleeper.run(undefined),
    state,
    stop: async () => {
      await worker.stop();
      await backend.stop();
    },
  };
};
