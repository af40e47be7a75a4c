/**
 * BullMQ. It has jobs, not workflows: a run is a job whose processor notes each step that is done in the job's data, the
 * pattern "Process Step Jobs" of its documentation; a sleep is the job that moves itself to the delayed ones.
 */
import { DelayedError, type Job, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { type Open, SLEEP_MS, type State } from "../lib/engine.ts";

interface Data {
  readonly run: number;
  readonly sleeps: boolean;
  /** The last step that is done. */
  readonly done: number;
}

const STATES: Record<string, State> = { completed: "ended", failed: "failed", unknown: "unknown" };
const QUEUE = "bench";

export const open: Open = async (context) => {
  const connect = (): Redis => new Redis(context.server, { maxRetriesPerRequest: null });
  const connections = { queue: connect(), events: connect(), worker: connect() };
  const queue = new Queue<Data>(QUEUE, { connection: connections.queue });
  const events = new QueueEvents(QUEUE, { connection: connections.events });
  // One job waits for its end by one listener each.
  events.setMaxListeners(0);
  const work = async (job: Job<Data>, token?: string): Promise<void> => {
    if (job.data.sleeps) {
      context.asleep();
      await job.moveToDelayed(Date.now() + SLEEP_MS, token);
      throw new DelayedError();
    }
    for (let step = job.data.done + 1; step <= 3; step += 1) {
      await context.step(job.data.run, step);
      await job.updateData({ ...job.data, done: step });
    }
  };
  const worker = new Worker<Data>(QUEUE, work, { connection: connections.worker, concurrency: 100 });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
  return {
    execute: async (run) => {
      const job = await queue.add("steps", { run, sleeps: false, done: 0 });
      await job.waitUntilFinished(events);
    },
    start: async (run) => (await queue.add("steps", { run, sleeps: false, done: 0 })).id as string,
    sleep: (run) => queue.add("sleeper", { run, sleeps: true, done: 0 }),
    state: async (id) => STATES[await queue.getJobState(id)] ?? "open",
    stop: async () => {
      await worker.close(true);
      await Promise.all([queue.close(), events.close()]);
      for (const connection of Object.values(connections)) connection.disconnect();
    },
  };
};
