/**
 * Promises P1, P4 and P5 over HTTP: 20,000 webhooks while the process is killed 30 times, and a schedule that ticks beside
 * them. Whatever was answered 2xx is looked for in the database file afterwards.
 */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Host, runText, spawnHost } from "./process.ts";
import { TICK_MS } from "./ticks.ts";

const WEBHOOKS = 20_000;
const KILLS = 30;
const LANES = 64;
const AT_ONCE = 1_000;

const directory = mkdtempSync(join(tmpdir(), "cronflow-webhooks-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const database = join(directory, "orders.db");

/** Run id by key, after a 2xx. */
const acknowledged = new Map<string, string>();
let host: Host;

test(
  `no 2xx of ${WEBHOOKS} webhooks is without its run after ${KILLS} kills, and each key has one`,
  async () => {
    host = await spawnHost("webhook-host.ts", database);
    let kills = 0;
    let starting: Promise<void> | undefined;
    let sent = 0;
    /** Kills the process in the middle of the traffic, and starts the next. */
    const killWhenDue = (): void => {
      if (starting !== undefined || kills === KILLS || acknowledged.size < ((kills + 1) * WEBHOOKS) / (KILLS + 1))
        return;
      kills += 1;
      host.process.kill("SIGKILL");
      starting = host.process.exited.then(async () => {
        host = await spawnHost("webhook-host.ts", database);
        starting = undefined;
      });
    };
    const lane = async (): Promise<void> => {
      while (sent < WEBHOOKS) {
        sent += 1;
        const key = `key-${sent}`;
        while (!(await send(key))) await starting;
        killWhenDue();
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    await starting;
    expect(kills).toBe(KILLS);

    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => post("at-once")));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(AT_ONCE - 1).fill(200), 202]);
    expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
    acknowledged.set("at-once", answers[0]?.runId as string);

    host.process.kill("SIGKILL");
    await host.process.exited;
    audit();
  },
  5 * 60_000,
);

async function post(key: string): Promise<{ status: number; runId: string }> {
  const response = await fetch(new URL("/orders", host.url), {
    method: "POST",
    headers: { "content-type": "application/json", "x-key": key },
    body: JSON.stringify({ key }),
  });
  return { status: response.status, ...((await response.json()) as { runId: string }) };
}

/** False when nobody was there, or died before the answer was whole: then it is sent again, as any sender would. */
async function send(key: string): Promise<boolean> {
  try {
    const { status, runId } = await post(key);
    expect([200, 202]).toContain(status);
    acknowledged.set(key, runId);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || (error instanceof Error && "code" in error)) return false;
    throw error;
  }
}

function audit(): void {
  const reader = new Database(database, { readonly: true, safeIntegers: true });
  const orders = reader
    .query<{ id: bigint; payload: string }, []>("SELECT id, payload FROM workflow_runs WHERE workflow_id = 'orders'")
    .all();
  const runs = new Map(orders.map(({ id, payload }) => [(JSON.parse(payload) as { key: string }).key, runText(id)]));
  expect(runs.size).toBe(orders.length); // One run per key (P5).
  expect(acknowledged.size).toBe(WEBHOOKS + 1);
  for (const [key, runId] of acknowledged) expect(runs.get(key)).toBe(runId); // P1.

  const instants = reader
    .query<{ instant_at_ms: bigint }, []>(
      "SELECT instant_at_ms FROM workflow_runs WHERE schedule = 'tick' ORDER BY instant_at_ms",
    )
    .all()
    .map(({ instant_at_ms }) => Number(instant_at_ms));
  expect(instants.length).toBeGreaterThan(KILLS);
  // No instant was left out, and none has two runs (P4).
  for (const [place, instant] of instants.entries()) expect(instant).toBe((instants[0] as number) + place * TICK_MS);
  reader.close();
}
