/** Mastra's workflows on their default engine, with the LibSQL store in a file. */
import { join } from "node:path";
import { Mastra } from "@mastra/core";
import { createStep, createWorkflow } from "@mastra/core/workflows";
import { LibSQLStore } from "@mastra/libsql";
import { z } from "zod";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

const STATES: Record<string, State> = {
  success: "ended",
  failed: "failed",
  canceled: "failed",
  bailed: "failed",
  tripwire: "failed",
};

const input = z.object({ run: z.number() });

export const open: Open = async (context) => {
  const step = (number: number) =>
    createStep({
      id: `step-${number}`,
      inputSchema: input,
      outputSchema: input,
      execute: async ({ inputData }) => {
        await context.step(inputData.run, number);
        return inputData;
      },
    });
  const steps = createWorkflow({ id: "steps", inputSchema: input, outputSchema: input })
    .then(step(1))
    .then(step(2))
    .then(step(3))
    .commit();
  const before = createStep({
    id: "before",
    inputSchema: input,
    outputSchema: input,
    execute: async ({ inputData }) => {
      context.asleep();
      return inputData;
    },
  });
  const sleeper = createWorkflow({ id: "sleeper", inputSchema: input, outputSchema: input })
    .then(before)
    .sleep(SLEEP_MS)
    .commit();
  const storage = new LibSQLStore({ id: "bench", url: `file:${join(context.directory, "mastra.db")}` });
  const mastra = new Mastra({ workflows: { steps, sleeper }, storage, logger: false });
  await storage.init();
  const workflows = { steps: mastra.getWorkflow("steps"), sleeper: mastra.getWorkflow("sleeper") };
  return {
    execute: async (run) => {
      const created = await workflows.steps.createRun();
      const result = await created.start({ inputData: { run } });
      if (result.status !== "success") throw new Error(`a run ended with ${result.status}`);
    },
    start: async (run) => {
      const created = await workflows.steps.createRun();
      return (await created.startAsync({ inputData: { run } })).runId;
    },
    sleep: async (run) => {
      const created = await workflows.sleeper.createRun();
      return await created.startAsync({ inputData: { run } });
    },
    state: async (id) => {
      const found = await workflows.steps.getWorkflowRunById(id);
      return found === null ? "unknown" : (STATES[found.status] ?? "open");
    },
    recover: () => mastra.restartAllActiveWorkflowRuns(),
    stop: () => mastra.shutdown(),
  };
};
