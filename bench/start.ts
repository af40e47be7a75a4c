/** Milliseconds from spawning `bun run` to the first answered webhook, on a database that exists. */
import { join } from "node:path";
import { inDirectory } from "./lib/engine.ts";
import { firstAnswer, freePort } from "./lib/first-answer.ts";
import { percentile, round, table } from "./lib/table.ts";

const STARTS = 25;

await inDirectory(async (directory) => {
  const program = join(import.meta.dir, "lib", "webhook-app.ts");
  const port = await freePort();
  const bare = join(import.meta.dir, "lib", "bare-app.ts");
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let start = 0; start <= STARTS; start += 1) {
    const [one, other] = [
      await firstAnswer([process.execPath, program, `${port}`, join(directory, "start.db")], port),
      await firstAnswer([process.execPath, bare, `${port}`], port),
    ];
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
