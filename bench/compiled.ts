/**
 * A program run by Bun, and compiled into one file: its size, and milliseconds from spawning it to the first answered
 * webhook, on a database that exists. What is Bun's own part of it is the server of one line.
 */
import { copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CleanRoom } from "../build/clean-room.ts";
import { pack } from "../build/pack.ts";
import { inDirectory } from "./lib/engine.ts";
import { firstAnswer, freePort } from "./lib/first-answer.ts";
import { percentile, progress, round, table } from "./lib/table.ts";

const STARTS = 25;
const BUN = process.execPath;
const PROGRAM = join(import.meta.dir, "lib", "webhook-app.ts");
const ONE_LINE =
  'Bun.serve({ port: process.argv[2], hostname: "127.0.0.1", fetch: () => Response.json({}, { status: 202 }) });';

interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Record<string, string>;
  /** The file that is deployed, if it is one. */
  readonly file?: string;
  readonly times: number[];
}

await inDirectory(async (directory) => {
  const packed = await pack(directory);
  await using room = await CleanRoom.open(packed);
  await room.add("cronflow-ffi");
  copyFileSync(PROGRAM, join(room.directory, "app.ts"));
  await room.write("one-line.ts", ONE_LINE);

  const compiled = async (name: string, program: string, ...flags: string[]): Promise<Contestant> => {
    const file = join(directory, `app-${flags.join("")}-${program}`);
    const built = await room.run([BUN, "build", "--compile", ...flags, program, `--outfile=${file}`]);
    if (built.code !== 0) throw new Error(built.stderr);
    return { name, command: [file], file, times: [] };
  };
  const plain = await compiled("compiled", "app.ts");
  const library = join(packed.platform.directory, "libcronflow.so");
  const contestants: Contestant[] = [
    { name: "bun run, in a checkout", command: [BUN, PROGRAM], times: [] },
    { name: "bun run, from the package", command: [BUN, join(room.directory, "app.ts")], times: [] },
    plain,
    { ...plain, name: "the same, its library opened from disk", environment: { CRONFLOW_LIBRARY: library }, times: [] },
    await compiled("compiled, --minify", "app.ts", "--minify"),
    await compiled("compiled, --sourcemap", "app.ts", "--sourcemap"),
    await compiled("compiled, --bytecode", "app.ts", "--bytecode", "--format=esm"),
    await compiled("compiled, --minify --bytecode", "app.ts", "--minify", "--bytecode", "--format=esm"),
    await compiled("compiled, --splitting", "app.ts", "--splitting"),
    await compiled("compiled, --splitting --bytecode", "app.ts", "--splitting", "--bytecode", "--format=esm"),
    { name: "bun run, a server of one line", command: [BUN, join(room.directory, "one-line.ts")], times: [] },
    await compiled("compiled, a server of one line", "one-line.ts"),
  ];

  const port = await freePort();
  const database = join(directory, "start.db");
  for (let start = 0; start <= STARTS; start += 1) {
    progress(`start ${start} of ${STARTS}`);
    for (const { command, environment = {}, times } of contestants) {
      const env = { ...room.environment, ...environment };
      const took = await firstAnswer([...command, `${port}`, database], port, { cwd: directory, env });
      if (start > 0) times.push(took); // The first one warms the disk.
    }
  }
  progress("");
  const rows = contestants.map(({ name, file, times }) => {
    times.sort((a, b) => a - b);
    const size = file === undefined ? "-" : round(statSync(file).size / 1e6, 4);
    return [name, size, round(times[0] as number), round(percentile(times, 0.5)), round(times.at(-1) as number)];
  });
  console.log(table(["from spawn to the first durable 202", "MB", "min ms", "median ms", "max ms"], rows));
});
