/**
 * Promises P1, P2, P3 and P5 against SIGKILL: a real process is driven over HTTP and killed at random moments. Whatever
 * it acknowledged is kept in a list of our own and looked for in the database file afterwards.
 *
 * `KILLS=200 bun test runtime/recovery` kills more often.
 */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runText, spawnHost } from "./process.ts";

const KILLS = Number(process.env["KILLS"] ?? 50);
const LANES = 16;
/** On the average, so that each process has done something before it is killed. */
const ACKNOWLEDGED_PER_KILL = 20;
/** The steps of one order, and of the child run that prints its invoice. */
const STEPS = ["reserve", "charge", "flaky", "pack", "pack", "pack", "ship", "notify", "print"];

const directory = mkdtempSync(join(tmpdir(), "cronflow-kill-"));
const database = join(directory, "orders.db");
const effects = join(directory, "effects.log");
if (process.env["KEEP"] === undefined) afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** What we were told: run id by idempotency key, after a 2xx. */
const acknowledged = new Map<string, string>();
/** Sent and not answered: the process died. Sent again later, as any sender would. */
const unanswered: string[] = [];
let sent = 0;
/** Called at each acknowledgement. */
let onAcknowledged = (): void => {};

test(
  `nothing acknowledged is lost in ${KILLS} kills`,
  async () => {
    await Bun.write(effects, "");
    for (let kill = 0; kill < KILLS; kill += 1) {
      const host = await spawnHost("host.ts", database, effects);
      const stop = load(host.url);
      await Bun.sleep(20 + Math.random() * 120); // The moment of death is what is random here.
      await hasAcknowledged((kill + 1) * ACKNOWLEDGED_PER_KILL + 1); // On a slow machine it comes later.
      host.process.kill("SIGKILL");
      await host.process.exited;
      await stop();
    }
    const last = await spawnHost("host.ts", database, effects);
    await allEnded();
    last.process.kill("SIGTERM");
    expect(await last.process.exited).not.toBe(0);
    audit();
  },
  10 * 60_000,
);

/** So many orders were acknowledged in all. */
function hasAcknowledged(count: number): Promise<void> {
  return new Promise((resolve) => {
    onAcknowledged = () => {
      if (acknowledged.size >= count) resolve();
    };
    onAcknowledged();
  });
}

/** Posts until told to stop, in several lanes. */
function load(url: string): () => Promise<void> {
  let isStopping = false;
  const lane = async (): Promise<void> => {
    while (!isStopping) {
      sent += 1;
      const key = unanswered.pop() ?? `key-${sent}`;
      try {
        const response = await fetch(new URL("/orders", url), {
          method: "POST",
          headers: { "content-type": "application/json", "x-key": key },
          body: JSON.stringify({ key }),
        });
        const { runId } = (await response.json()) as { runId: string };
        expect([200, 202]).toContain(response.status);
        expect(acknowledged.get(key) ?? runId).toBe(runId);
        acknowledged.set(key, runId);
        onAcknowledged();
      } catch (error) {
        if (error instanceof Error && "code" in error) unanswered.push(key);
        else if (!(error instanceof SyntaxError)) throw error;
        else unanswered.push(key);
        if (isStopping) return;
        await Bun.sleep(1);
      }
    }
  };
  const lanes = Promise.all(Array.from({ length: LANES }, lane));
  return async () => {
    isStopping = true;
    await lanes;
  };
}

/** Waits until no run is open; the test's own time-out is the limit. */
async function allEnded(): Promise<void> {
  const reader = new Database(database, { readonly: true });
  const open = reader.query<{ count: number }, []>("SELECT count(*) AS count FROM workflow_runs WHERE open = 1");
  while ((open.get()?.count ?? 0) > 0) await Bun.sleep(20);
  reader.close();
}

function audit(): void {
  const reader = new Database(database, { readonly: true, safeIntegers: true });
  const runs = reader
    .query<{ id: bigint; workflow_id: string; status: string; error: string | null; payload: string }, []>(
      "SELECT id, workflow_id, status, error, payload FROM workflow_runs",
    )
    .all();
  const orders = runs.filter((run) => run.workflow_id === "orders");
  const byId = new Map(runs.map((run) => [runText(run.id), run]));

  const keys = new Set<string>();
  for (const run of runs) {
    expect({ run: runText(run.id), status: run.status, error: run.error }).toMatchObject({ status: "completed" });
    if (run.workflow_id !== "orders") continue;
    const { key } = JSON.parse(run.payload) as { key: string };
    expect(keys.has(key)).toBe(false); // One run per key (P5).
    keys.add(key);
  }
  expect(runs.length).toBe(2 * orders.length); // One child run each.
  for (const [key, runId] of acknowledged) {
    const run = byId.get(runId);
    expect(run === undefined ? `${runId} is lost` : JSON.parse(run.payload).key).toBe(key); // P1.
  }

  const bodies = new Map<string, number>();
  for (const [, step = "", attempt] of readFileSync(effects, "utf8").matchAll(/^(\S+) (\d+)$/gm)) {
    bodies.set(step, Math.max(bodies.get(step) ?? 0, Number(attempt)));
  }
  const steps = reader
    .query<{ run_id: bigint; name: string; scope: string; attempt: bigint; output: string | null }, []>(
      "SELECT run_id, name, scope, attempt, output FROM steps WHERE status = 'completed' AND handler = 'body'",
    )
    .all()
    .filter(({ name }) => STEPS.includes(name));
  const recorded = new Set<string>();
  for (const { run_id, name, scope, attempt, output } of steps) {
    const step = `${runText(run_id)}:${name}${scope === "" ? "" : `@${scope}`}`;
    expect(recorded.has(step)).toBe(false); // Recorded once (P2).
    recorded.add(step);
    expect(bodies.get(step)).toBe(Number(attempt)); // And no body began after it was recorded.
    if (name !== "notify") expect(JSON.parse(output as string)).toBe(`${step} ${attempt}`);
  }
  expect(recorded.size).toBe(orders.length * STEPS.length);
  const shipped = reader.query<{ value: string }, []>("SELECT value FROM state WHERE key = 'shipped'").get();
  expect(Number(shipped?.value)).toBe(orders.length); // What a step does to the state counts once (P3).

  const interrupted = reader
    .query<{ count: bigint }, []>("SELECT count(*) AS count FROM steps WHERE status = 'interrupted'")
    .get();
  expect(Number(interrupted?.count)).toBeGreaterThan(KILLS / 10); // The kills did hit something.
  expect(acknowledged.size).toBeGreaterThan(KILLS * ACKNOWLEDGED_PER_KILL);
  reader.close();
  console.log(
    `${KILLS} kills: ${acknowledged.size} acknowledged, ${orders.length} orders, ${steps.length} steps, ${interrupted?.count} interrupted attempts`,
  );
}
