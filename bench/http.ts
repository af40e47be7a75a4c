/**
 * A webhook that answers 202 after a commit that survives a power cut, beside servers that store nothing. The client is
 * a process of its own; servers are measured in turn, so that their ratios are of one machine at one time.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { inDirectory } from "./lib/engine.ts";
import { percentile, progress, round, table } from "./lib/table.ts";

const KINDS = ["bun", "hono", "cronflow"] as const;
const NAMES = { bun: "Bun.serve, JSON echo", hono: "Hono, JSON echo", cronflow: "cronflow-ffi, durable 202 + run" };
const CONNECTIONS = [1, 16, 64, 256];
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 3);
const MILLISECONDS = 2_000;

type Kind = (typeof KINDS)[number];
interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

await inDirectory(async (directory) => {
  const commitMs = measureCommit(join(directory, "commit.db"));
  const rows: (string | number)[][] = [];
  for (const connections of CONNECTIONS) {
    const measured: Record<Kind, Measured[]> = { bun: [], hono: [], cronflow: [] };
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const kind of KINDS) {
        progress(`${NAMES[kind]}, ${connections} connections, ${turn + 1} of ${ROUNDS} …`);
        measured[kind].push(await measure(kind, connections, join(directory, `${connections}-${turn}.db`)));
      }
    }
    const hono = middle(measured.hono);
    for (const kind of KINDS) {
      const { perSecond, p50Ms, p99Ms } = middle(measured[kind]);
      const ofHono = (perSecond / hono.perSecond).toFixed(2);
      rows.push([NAMES[kind], connections, round(perSecond), ofHono, round(p50Ms), round(p99Ms)]);
    }
  }
  progress("");
  console.log(table(["server", "connections", "requests/s", "of Hono", "p50 ms", "p99 ms"], rows));
  console.log(`\nOne commit of one row, synchronous=FULL, alone: p50 ${round(commitMs)} ms.`);
});

/** The turn with the middle throughput. */
function middle(turns: readonly Measured[]): Measured {
  return turns.toSorted((a, b) => a.perSecond - b.perSecond)[turns.length >> 1] as Measured;
}

async function measure(kind: Kind, connections: number, database: string): Promise<Measured> {
  const server = Bun.spawn([process.execPath, join(import.meta.dir, "lib", "http-server.ts"), kind, database], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = server.stdout.getReader();
  const port = new TextDecoder().decode((await reader.read()).value).trim();
  const client = Bun.spawn(
    [process.execPath, join(import.meta.dir, "lib", "http-load.ts"), port, `${connections}`, `${MILLISECONDS}`],
    { stdout: "pipe", stderr: "inherit" },
  );
  const text = await client.stdout.text();
  server.kill("SIGKILL");
  await server.exited;
  return JSON.parse(text) as Measured;
}

/** Milliseconds of a commit on this disk. */
function measureCommit(file: string): number {
  const database = new Database(file);
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run("CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)");
  const times: number[] = [];
  for (let row = 0; row < 1_000; row += 1) {
    const began = performance.now();
    database.run("INSERT INTO rows (text) VALUES ('x')");
    times.push(performance.now() - began);
  }
  database.close();
  return percentile(
    times.sort((a, b) => a - b),
    0.5,
  );
}
