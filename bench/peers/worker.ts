/**
 * The program that is measured: it opens one engine and does what it is told, a line of JSON for a line of JSON.
 * `bun worker.ts <engine> <setting> <directory> <server> [effects]`; with a file for effects, steps take their time and
 * leave a line there.
 */
import { createInterface } from "node:readline";
import type { Engine, Open } from "./lib/engine.ts";
import { ANSWER, type Answers, type Commands } from "./lib/protocol.ts";
import { crash, outcome, SlowSteps } from "./lib/work/crash.ts";
import { drive } from "./lib/work/runs.ts";
import { Sleepers } from "./lib/work/sleepers.ts";
import { serve } from "./lib/work/webhook.ts";

const [name = "", setting = "", directory = "", server = "", effects = ""] = process.argv.slice(2);
const slow = effects === "" ? undefined : new SlowSteps(effects);
const sleepers = new Sleepers();

const { open } = (await import(`./engines/${name}.ts`)) as { open: Open };
const engine: Engine = await open({
  setting,
  directory,
  server,
  step: (run, step) => slow?.take(run, step),
  asleep: () => sleepers.asleep(),
});

const work: { [Command in keyof Commands]: (options: Commands[Command]) => Promise<Answers[Command]> } = {
  runs: (options) => drive(engine, options),
  webhook: async () => ({ port: await (engine.webhook?.() ?? serve(engine)) }),
  sleepers: (options) => sleepers.start(engine, options),
  crash: (options) => crash(engine, slow as SlowSteps, options),
  outcome: (options) => outcome(engine, options),
  collect: async () => {
    Bun.gc(true);
    return {};
  },
};

answer({ sleeps: engine.sleep !== undefined });
for await (const line of createInterface({ input: process.stdin })) {
  const { command, options } = JSON.parse(line) as { command: keyof Commands; options: never };
  try {
    answer(await work[command](options));
  } catch (error) {
    answer({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
}
await engine.stop();
process.exit(0);

/** Engines write to stdout, too: a mark tells our lines from theirs. */
function answer(value: object): void {
  process.stdout.write(`${ANSWER}${JSON.stringify(value)}\n`);
}
