/** Counts how often processes make the disk keep what they wrote, by `strace`. */

/** The calls after which data is on the disk. */
const CALLS = ["fsync", "fdatasync", "sync_file_range", "msync", "sync", "syncfs"];

/** False where `strace` is missing or may not look at other processes. */
export function canCount(): boolean {
  if (Bun.which("strace") === null) return false;
  const probe = Bun.spawn(["sleep", "10"]);
  const { exitCode } = Bun.spawnSync(["timeout", "-s", "INT", "0.3", "strace", "-p", `${probe.pid}`]);
  probe.kill();
  // 124: it was still watching when its time was over.
  return exitCode === 124;
}

/** The calls of these processes, of all their threads and of the children they get, while the work goes on. */
export async function countSyncs<T>(
  pids: readonly number[],
  work: () => Promise<T>,
): Promise<{ syncs: number; done: T }> {
  const strace = Bun.spawn(
    [
      "strace",
      "-f",
      "-qq",
      "-e",
      "signal=none",
      "-e",
      `trace=${CALLS.join(",")}`,
      ...pids.flatMap((pid) => ["-p", `${pid}`]),
    ],
    { stdout: "ignore", stderr: "pipe" },
  );
  const text = strace.stderr.text();
  await attached(pids);
  const done = await work();
  strace.kill("SIGINT");
  const lines = (await text).split("\n");
  await strace.exited;
  // A call that another thread interrupts in the log is resumed on a line of its own.
  const syncs = lines.filter((line) => CALLS.some((call) => line.includes(`${call}(`))).length;
  return { syncs, done };
}

/** When each of the processes has a tracer. */
async function attached(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + 5_000;
  const isTraced = async (pid: number): Promise<boolean> => {
    const status = Bun.file(`/proc/${pid}/status`);
    return !(await status.exists()) || !/^TracerPid:\s+0$/m.test(await status.text());
  };
  while (!(await Promise.all(pids.map(isTraced))).every(Boolean)) {
    if (performance.now() > deadline) throw new Error(`strace did not attach to ${pids.join(", ")}`);
    await Bun.sleep(10);
  }
}
