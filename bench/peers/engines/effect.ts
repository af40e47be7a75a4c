/**
 * Effect's workflows (`effect/workflow`) on their durable engine: the cluster as a single runner, its messages in
 * PostgreSQL.
 */

import { PgClient } from "@effect/sql-pg";
import { Effect, Layer, ManagedRuntime, Option, Redacted, Schema } from "effect";
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster";
import { Digest } from "effect/crypto";
import { Activity, DurableClock, Workflow } from "effect/workflow";
import { type Open, SLEEP_MS } from "../lib/engine.ts";

const Steps = Workflow.make("Steps", {
  payload: { run: Schema.Number, key: Schema.String },
  idempotencyKey: ({ key }) => key,
});

const Sleeper = Workflow.make("Sleeper", {
  payload: { key: Schema.String },
  idempotencyKey: ({ key }) => key,
});

export const open: Open = async (context) => {
  const steps = Steps.toLayer(
    Effect.fnUntraced(function* ({ run }) {
      for (const number of [1, 2, 3]) {
        yield* Activity.make({
          name: `step-${number}`,
          execute: Effect.promise(async () => context.step(run, number)),
        });
      }
    }),
  );
  const sleeper = Sleeper.toLayer(
    Effect.fnUntraced(function* () {
      context.asleep();
      yield* DurableClock.sleep({ name: "long", duration: SLEEP_MS });
    }),
  );
  const database = PgClient.layer({ url: Redacted.make(context.server), maxConnections: 20 });
  const engine = ClusterWorkflowEngine.layer.pipe(
    Layer.provideMerge(SingleRunner.layer()),
    Layer.provideMerge(database),
    Layer.provideMerge(Digest.layerWebCrypto),
  );
  const runtime = ManagedRuntime.make(Layer.mergeAll(steps, sleeper).pipe(Layer.provideMerge(engine)));
  await runtime.context();
  return {
    execute: (run) => runtime.runPromise(Steps.execute({ run, key: crypto.randomUUID() })),
    start: (run) => runtime.runPromise(Steps.execute({ run, key: `run-${run}` }, { discard: true })),
    sleep: (run) => runtime.runPromise(Sleeper.execute({ key: `sleeper-${run}` }, { discard: true })),
    state: async (id) => {
      const result = await runtime.runPromise(Steps.poll(id));
      if (Option.isNone(result) || result.value._tag === "Suspended") return "open";
      return result.value.exit._tag === "Success" ? "ended" : "failed";
    },
    stop: () => runtime.dispose(),
  };
};
