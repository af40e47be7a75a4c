import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./testing/engines.ts";

const runtime = join(import.meta.dir, "index.ts");

/** A program whose workflow ends in what this version says. */
function program(version: number, database: string): string {
  return `
import { createCronflow } from ${JSON.stringify(runtime)};
const engine = createCronflow({ database: ${JSON.stringify(database)}, log: { ...console, info() {} } });
engine
  .define({ id: "orders" })
  .onWebhook("/orders", { respond: "result" })
  .waitForEvent("go")
  .step("version", () => ${version});
engine.define({ id: "now" }).onWebhook("/now", { respond: "result" }).step("version", () => ${version});
await engine.start({ port: 0, hostname: "127.0.0.1", auth: "a-token-for-the-test" });
console.log(engine.url?.href);
`;
}

test("a program that is evaluated again takes over the database, and runs go on with its new functions", async () => {
  const directory = temporaryDirectory();
  const [file, database] = [join(directory, "app.ts"), join(directory, "hot.db")];
  writeFileSync(file, program(1, database));
  const child = Bun.spawn([process.execPath, "--hot", "--no-clear-screen", file], {
    // On Windows Bun watches what is below this folder, and nothing else.
    cwd: directory,
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const lines = addresses(child.stdout);
    const first = await lines();
    expect(await (await post(first, "/now")).json()).toBe(1);
    const started = await post(first, "/cronflow/workflows/orders/trigger");
    const { runId } = (await started.json()) as { runId: string };

    writeFileSync(file, program(2, database));
    const second = await lines();
    expect(await (await post(second, "/now")).json()).toBe(2);
    await waits(second, runId);
    await post(second, "/cronflow/events/go");
    expect(await output(second, runId)).toBe(2);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}, 30_000);

const authorized = { authorization: "Bearer a-token-for-the-test", "content-type": "application/json" };

function post(url: string, path: string): Promise<Response> {
  return fetch(new URL(path, url), { method: "POST", headers: authorized, body: "{}" });
}

async function record(url: string, runId: string): Promise<{ status: string; output?: unknown }> {
  const response = await fetch(new URL(`/cronflow/runs/${runId}`, url), { headers: authorized });
  return (await response.json()) as { status: string; output?: unknown };
}

async function waits(url: string, runId: string): Promise<void> {
  while ((await record(url, runId)).status !== "waiting");
}

async function output(url: string, runId: string): Promise<unknown> {
  for (;;) {
    const { status, output } = await record(url, runId);
    if (status === "completed") return output;
    expect(["pending", "running", "waiting"]).toContain(status);
  }
}

/** Gives the next line that is printed. */
function addresses(stdout: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the program ended");
      text += decoder.decode(value, { stream: true });
    }
    const [line = "", ...rest] = text.split("\n");
    text = rest.join("\n");
    return line;
  };
}
