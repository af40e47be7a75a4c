/** DBOS on PostgreSQL. Without a queue a workflow starts in the process that asks for it: its fastest way. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

const STATES: Record<string, State> = {
  SUCCESS: "ended",
  ERROR: "failed",
  CANCELLED: "failed",
  MAX_RECOVERY_ATTEMPTS_EXCEEDED: "failed",
};

export const open: Open = async (context) => {
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: context.server,
    systemDatabasePoolSize: 20,
    // Recovery takes up the runs of the same version of the program.
    applicationVersion: "bench",
    logLevel: "error",
  });
  const steps = DBOS.registerWorkflow(
    async (run: number) => {
      for (const number of [1, 2, 3]) {
        await DBOS.runStep(async () => context.step(run, number), { name: `step-${number}` });
      }
    },
    { name: "steps" },
  );
  const sleeper = DBOS.registerWorkflow(
    async () => {
      context.asleep();
      await DBOS.sleep(SLEEP_MS);
    },
    { name: "sleeper" },
  );
  await DBOS.launch();
  return {
    execute: async (run) => (await DBOS.startWorkflow(steps)(run)).getResult(),
    start: async (run) => (await DBOS.startWorkflow(steps)(run)).workflowID,
    sleep: () => DBOS.startWorkflow(sleeper)(),
    state: async (id) => {
      const status = await DBOS.getWorkflowStatus(id);
      return status === null ? "unknown" : (STATES[status.status] ?? "open");
    },
    stop: () => DBOS.shutdown(),
  };
};
