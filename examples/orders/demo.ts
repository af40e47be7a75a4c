/** Posts real webhooks to the order example, kills it in the middle, starts it again, and shows what each run did. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCronflow, type RunRecord } from "cronflow-ffi";

const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
const paint = (code: number, text: string): string => (isColoured ? `\x1b[${code}m${text}\x1b[0m` : text);
const say = (text: string): void => console.log(`\n${paint(1, text)}`);

const directory = mkdtempSync(join(tmpdir(), "cronflow-demo-"));
const database = join(directory, "orders.db");

try {
  say("1. Start the order example and post five webhooks");
  const first = await start();
  const accepted: string[] = [];
  for (const [orderId, amount] of [
    ["A-1", 20],
    ["A-2", 250],
    ["A-3", 75],
    ["A-4", 990],
    ["A-5", 12],
  ] as const) {
    const response = await fetch(new URL("/webhooks/orders", first.url), {
      method: "POST",
      headers: { "content-type": "application/json", "x-idempotency-key": orderId },
      body: JSON.stringify({ orderId, amount }),
    });
    const { runId } = (await response.json()) as { runId: string };
    accepted.push(runId);
    console.log(`   ${orderId}  ${amount.toString().padStart(4)} €  → ${response.status} ${runId}`);
  }

  // Small orders are being shipped, the charge of the large ones has failed and waits for its retry.
  await Bun.sleep(700);
  say("2. kill -9 in the middle");
  first.process.kill("SIGKILL");
  await first.process.exited;
  console.log("   the process is gone; every 202 above was given after its commit");

  say("3. Start it again: open runs continue where they were");
  const second = await start();
  while (!(await allEnded(second.url))) await Bun.sleep(50);
  second.process.kill("SIGTERM");
  await second.process.exited;

  say("4. What each run did");
  for (const record of await read(accepted)) show(record);
  const repeated = await countRuns();
  say(
    repeated === accepted.length
      ? `${accepted.length} accepted, ${repeated} runs, nothing lost.`
      : `${accepted.length} accepted, ${repeated} runs!`,
  );
  if (repeated !== accepted.length) process.exitCode = 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function start() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "orders.ts"), "0", database], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream());
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  (async () => {
    for await (const text of lines) {
      for (const line of text.trimEnd().split("\n")) console.log(`   ${paint(2, line)}`);
      const url = /listening on (\S+)/.exec(text)?.[1];
      if (url !== undefined) resolve(url);
    }
    reject(new Error("the example ended before it listened"));
  })().catch(reject);
  return { process: child, url: await promise };
}

/** Whether every order is finished: readers of the database file are welcome while the example owns it. */
async function allEnded(url: string): Promise<boolean> {
  const { Database } = await import("bun:sqlite");
  const healthy = await fetch(new URL("/health", url));
  if (!healthy.ok) throw new Error("the example is not healthy");
  const reader = new Database(database, { readonly: true });
  const { open } = reader
    .query<{ open: number }, []>("SELECT count(*) AS open FROM workflow_runs WHERE open = 1")
    .get() ?? { open: 1 };
  reader.close();
  return open === 0;
}

async function read(runIds: string[]): Promise<RunRecord[]> {
  return withEngine((engine) => Promise.all(runIds.map((runId) => engine.inspect(runId))));
}

async function countRuns(): Promise<number> {
  return withEngine(async (engine) => (await engine.list()).runs.length);
}

async function withEngine<T>(work: (engine: ReturnType<typeof createCronflow>) => Promise<T>): Promise<T> {
  const engine = createCronflow({ database });
  await engine.start();
  const result = await work(engine);
  await engine.stop();
  return result;
}

function show(record: RunRecord): void {
  const { orderId } = record.payload as { orderId: string };
  console.log(
    `\n   ${paint(1, orderId)}  ${record.runId}  ${paint(record.status === "completed" ? 32 : 31, record.status)}`,
  );
  const began = record.createdAt.getTime();
  for (const { sequence, step, attempt, status, output, error, finishedAt } of record.attempts) {
    const at = `+${finishedAt.getTime() - began} ms`.padStart(9);
    const what = output !== undefined ? JSON.stringify(output) : (error?.message ?? "");
    const colour = status === "completed" ? 32 : status === "interrupted" ? 35 : 33;
    console.log(
      `   ${sequence.toString().padStart(3)} ${at}  ${step.padEnd(8)} attempt ${attempt}  ${paint(colour, status.padEnd(11))}  ${what}`,
    );
  }
}
