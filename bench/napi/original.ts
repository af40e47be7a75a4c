/**
 * The four calls for which the original cronflow publishes figures, on its prebuilt core (`@cronflow/linux-x64-gnu`)
 * and on ours. It has no types and no documentation: names and arguments are those that the addon itself exports and
 * asks for.
 */
import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ffi } from "./ffi.ts";
import { nanoseconds, type Sample } from "./measure.ts";
import { define, Engine, resolve, start, status } from "./work.ts";

/** What is measured of an engine: each takes many at a time and says how many nanoseconds one took. */
export interface Contender {
  readonly name: string;
  round(): Sample;
  close(): void;
}

export const CALLS = ["register workflow", "create run", "run status", "execute step"] as const;

/** Milliseconds, as the original publishes them. */
export const PUBLISHED: Record<(typeof CALLS)[number], number> = {
  "register workflow": 10.44,
  "create run": 3.76,
  "run status": 0.36,
  "execute step": 0.38,
};

/** Of each call in a round. */
const PER_ROUND = 64;

interface Result {
  readonly success: boolean;
  readonly message: string;
  readonly id?: string;
  readonly data?: string;
}

interface OriginalAddon {
  registerWorkflow(definition: string, database: string): Result;
  createRun(workflow: string, payload: string, database: string): Result;
  getRunStatus(run: string, database: string): Result;
  executeStep(run: string, step: string, database: string): Result;
}

const PACKAGE = join(import.meta.dir, "node_modules", "@cronflow", "linux-x64-gnu");

/** Installs the package beside this file; false where it does not run. */
export function installOriginal(): boolean {
  const { success, stderr } = Bun.spawnSync(
    [process.execPath, "install", "--frozen-lockfile", "--ignore-scripts", "--silent"],
    { cwd: import.meta.dir },
  );
  if (!success) throw new Error(`the package of the original was not installed: ${stderr}`);
  return existsSync(PACKAGE);
}

/**
 * The original's core over a new database. It sets no pragma, so it writes as SQLite does by default: a rollback
 * journal, `synchronous=FULL`. The journal mode is a property of the file: one that was set to WAL before keeps it.
 */
export function original(name: string, database: string, journal: "DELETE" | "WAL"): Contender {
  const prepared = new Database(database, { create: true });
  prepared.run(`PRAGMA journal_mode=${journal}`);
  prepared.close();
  const addon = require(PACKAGE) as OriginalAddon;
  let registered = 0;
  const checked = (result: Result): Result => {
    if (!result.success) throw new Error(result.message);
    return result;
  };
  return {
    name,
    round: () => {
      const first = registered;
      const runs: string[] = [];
      return {
        "register workflow": each(() =>
          checked(addon.registerWorkflow(definition(`workflow-${registered++}`), database)),
        ),
        "create run": each((call) => {
          runs.push(checked(addon.createRun(`workflow-${first + call}`, '{"order":4711}', database)).id ?? "");
        }),
        "run status": each((call) => JSON.parse(checked(addon.getRunStatus(runs[call] ?? "", database)).data ?? "")),
        "execute step": each((call) =>
          JSON.parse(checked(addon.executeStep(runs[call] ?? "", "step0", database)).data ?? ""),
        ),
      };
    },
    close: () => {},
  };
}

function each(work: (call: number) => void): number {
  return nanoseconds(PER_ROUND, () => {
    for (let call = 0; call < PER_ROUND; call += 1) work(call);
  });
}

/** A workflow of one step, with the fields that the addon asks for. */
function definition(id: string): string {
  const step = { id: "step0", name: "step0", title: "step0", action: "step0", depends_on: [], is_control_flow: false };
  const at = "2026-01-01T00:00:00Z";
  return JSON.stringify({ id, name: id, steps: [step], triggers: ["Manual"], created_at: at, updated_at: at });
}

/** Our core over a new database, so many commands in one request: they share a transaction and its commit. */
export function ours(name: string, database: string, durability: "full" | "relaxed", together: number): Contender {
  const engine = new Engine(ffi, database, durability, PER_ROUND);
  let defined = 0;
  const all = (commands: readonly string[]): { time: number; runs: string[] } => {
    const runs: string[] = [];
    const time = nanoseconds(commands.length, () => {
      for (let at = 0; at < commands.length; at += together) {
        for (const result of engine.ask(commands.slice(at, at + together))) runs.push(result?.run ?? "");
      }
    });
    return { time, runs };
  };
  return {
    name,
    round: () => {
      const ids = Array.from({ length: PER_ROUND }, () => `workflow-${defined++}`);
      const registered = all(ids.map((id) => define(id, 1)));
      const created = all(ids.map(start));
      const asked = all(created.runs.map(status));
      // A host takes these as they come; here they are taken between the calls that are timed.
      const due = engine.effects().flatMap(({ execute }) => execute ?? []);
      const executed = all(due.map(resolve));
      if (due.length !== PER_ROUND) throw new Error(`${due.length} of ${PER_ROUND} steps are to be executed`);
      engine.effects();
      return {
        "register workflow": registered.time,
        "create run": created.time,
        "run status": asked.time,
        "execute step": executed.time,
      };
    },
    close: () => engine.close(),
  };
}
