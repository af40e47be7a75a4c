/** How long a suite of 200 tests takes, from the start of `bun test` to its end. */
import { rmSync } from "node:fs";
import { TESTS, writeLargeSuite } from "../runtime/testing/large-suite.testing.ts";
import { round, table } from "./lib/table.ts";

const MODES = [["one process", []] as const, ["two processes", ["--parallel=2"]] as const];
const ROUNDS = 5;

const folder = await writeLargeSuite();
try {
  const rows = MODES.map(([name, flags]) => {
    const times = Array.from({ length: ROUNDS }, () => {
      const began = performance.now();
      const { exitCode, stderr } = Bun.spawnSync([process.execPath, "test", ...flags], { cwd: folder });
      if (exitCode !== 0) throw new Error(stderr.toString());
      return performance.now() - began;
    }).sort((one, other) => one - other);
    const middle = times[Math.floor(ROUNDS / 2)] as number;
    return [name, round(middle), round(times[ROUNDS - 1] as number), (middle / TESTS).toFixed(2)];
  });
  console.log(table([`${TESTS} tests`, "ms, median", "ms, slowest", "ms per test"], rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
