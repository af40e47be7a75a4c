/** Milliseconds from spawning `bun run` to the first answered webhook, on a database that exists. */
import { join } from "node:path";
import { inDirectory } from "./lib/engine.ts";
import { percentile, round, table } from "./lib/table.ts";

const STARTS = 25;

await inDirectory(async (directory) => {
  const program = join(import.meta.dir, "lib", "webhook-app.ts");
  const port = await freePort();
  const bare = join(import.meta.dir, "lib", "bare-app.ts");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let start = 0; start <= STARTS; start += 1) {
    const [one, other] = [await measure(program, port, join(directory, "start.db")), await measure(bare, port, "")];
    if (start === 0) continue; // The first one warms the disk.
    ours.push(one);
    theirs.push(other);
  }
  const row = (name: string, times: number[]): (string | number)[] => {
    times.sort((a, b) => a - b);
    return [name, round(times[0] as number), round(percentile(times, 0.5)), round(times.at(-1) as number)];
  };
  console.log(
    table(
      ["from spawn to the first 2xx, ms", "min", "median", "max"],
      [row("cronflow-ffi, durable 202", ours), row("bare Hono on Bun.serve", theirs)],
    ),
  );
});

async function measure(program: string, port: number, database: string): Promise<number> {
  const began = performance.now();
  const child = Bun.spawn([process.execPath, program, `${port}`, database], { stdout: "ignore", stderr: "inherit" });
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/hook`, {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close" },
        body: "{}",
      });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      break;
    } catch (error) {
      // Nobody listens yet; ask again at once.
      if (!/REFUSED/i.test((error as { code?: string }).code ?? "")) throw error;
      await Bun.sleep(0);
    }
  }
  const took = performance.now() - began;
  child.kill("SIGKILL");
  await child.exited;
  return took;
}

async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port as number;
}
