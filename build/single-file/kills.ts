/**
 * Kills a service in the middle of its traffic, starts it again, and so on; afterwards looks for all that it has
 * acknowledged. The service is `runtime/recovery/host.ts`, compiled.
 */
import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import { createCronflow, type RunRecord, type RunSummary } from "cronflow-ffi";
import type { Running } from "./running.ts";

const LANES = 16;
/** The bodies of one order and its invoice. */
const BODIES = ["reserve", "charge", "flaky", "pack", "pack", "pack", "ship", "notify", "print"];

/** Sends orders, and keeps what it was told. */
class Client {
  /** Run id by key, after a 2xx. */
  readonly acknowledged = new Map<string, string>();
  /** Sent, and not answered: sent again later, as any sender would. */
  readonly #unanswered: string[] = [];
  #sent = 0;

  /** Posts in several lanes until so many more orders are acknowledged, then calls `end`; resolves when all lanes rest. */
  async post(service: Running, count: number, end: () => void): Promise<void> {
    const enough = this.acknowledged.size + count;
    const lane = async (): Promise<void> => {
      while (this.acknowledged.size < enough) {
        const key = this.#unanswered.pop() ?? this.#next();
        if (!(await this.#order(service, key))) this.#unanswered.push(key);
      }
      end();
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  #next(): string {
    this.#sent += 1;
    return `key-${this.#sent}`;
  }

  /** False when nobody was there, or died before the answer was whole. */
  async #order(service: Running, key: string): Promise<boolean> {
    try {
      const { status, runId } = await service.post("/orders", { key }, { "x-key": key });
      if (status !== 200 && status !== 202) throw new Error(`${key} was answered ${status}`);
      if ((this.acknowledged.get(key) ?? runId) !== runId) throw new Error(`${key} has two runs`);
      this.acknowledged.set(key, runId);
      return true;
    } catch (error) {
      if (error instanceof SyntaxError || (error instanceof Error && "code" in error)) return false;
      throw error;
    }
  }
}

/** Starts the service so often and kills it at a random place of its traffic; at last it may end its runs. */
export async function killAgainAndAgain(
  start: () => Promise<Running>,
  kills: number,
  database: string,
): Promise<ReadonlyMap<string, string>> {
  const client = new Client();
  for (let kill = 0; kill < kills; kill += 1) {
    await using service = await start();
    await client.post(service, 1 + Math.floor(Math.random() * 200), () => service.process.kill("SIGKILL"));
  }
  await using last = await start();
  await allEnded(database);
  await last.stop();
  return client.acknowledged;
}

/** Readers of the database file are welcome. The test's own time-out is the limit. */
async function allEnded(database: string): Promise<void> {
  using reader = new Database(database, { readonly: true });
  const open = reader.query<{ count: number }, []>("SELECT count(*) AS count FROM workflow_runs WHERE open = 1");
  while ((open.get()?.count ?? 0) > 0) await Bun.sleep(20);
}

/** What was found in the database file. */
export interface Found {
  readonly orders: number;
  /** Attempts that died with the process: the kills did hit something. */
  readonly interrupted: number;
  /** What is not as it was promised. */
  readonly faults: readonly string[];
}

/** Looks through every run, with the public API. `effects` has a line for each body that began. */
export async function audit(
  database: string,
  effects: string,
  acknowledged: ReadonlyMap<string, string>,
): Promise<Found> {
  const began = beginnings(effects);
  const faults: string[] = [];
  const keys = new Map<string, string>();
  const recorded = new Set<string>();
  let interrupted = 0;
  for (const run of await everyRun(database)) {
    if (run.status !== "completed") faults.push(`${run.runId} is ${run.status}`);
    if (run.workflowId === "orders") {
      const { key } = run.payload as { key: string };
      if (keys.has(key)) faults.push(`${key} has two runs`);
      keys.set(key, run.runId);
    }
    for (const { step, scope, handler, status, attempt, output } of run.attempts) {
      if (status === "interrupted") interrupted += 1;
      if (handler !== "body" || status !== "completed" || !BODIES.includes(step)) continue;
      const place = `${run.runId}:${step}${scope === "" ? "" : `@${scope}`}`;
      if (recorded.has(place)) faults.push(`${place} is recorded twice`);
      recorded.add(place);
      if (began.get(place) !== attempt) faults.push(`${place} began again after it was recorded`);
      if (step !== "notify" && output !== `${place} ${attempt}`) faults.push(`${place} has the output ${output}`);
    }
  }
  for (const [key, runId] of acknowledged) {
    if (keys.get(key) !== runId) faults.push(`${runId} of ${key} was acknowledged and is lost`);
  }
  if (recorded.size !== keys.size * BODIES.length) faults.push(`${recorded.size} bodies of ${keys.size} orders`);
  return { orders: keys.size, interrupted, faults };
}

/** The last attempt of each step that began. */
function beginnings(effects: string): Map<string, number> {
  const began = new Map<string, number>();
  for (const [, place = "", attempt] of readFileSync(effects, "utf8").matchAll(/^(\S+) (\d+)$/gm)) {
    began.set(place, Math.max(began.get(place) ?? 0, Number(attempt)));
  }
  return began;
}

async function everyRun(database: string): Promise<RunRecord[]> {
  const engine = createCronflow({ database });
  await engine.start();
  try {
    const summaries: RunSummary[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await engine.list({ limit: 1_000, ...(cursor !== undefined && { cursor }) });
      summaries.push(...page.runs);
      cursor = page.cursor;
      if (cursor === undefined) break;
    }
    return await Promise.all(summaries.map(({ runId }) => engine.inspect(runId)));
  } finally {
    await engine.stop();
  }
}
