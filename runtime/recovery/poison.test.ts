/** Promise P8: a step that kills its process is given up, and the runs beside it are not. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { LIMITS } from "../native/generated.ts";
import { temporaryDirectory } from "../testing/engines.ts";

test("a poison step is failed with crash_loop after its deaths, and innocent runs complete", async () => {
  const database = join(temporaryDirectory(), "poison.db");
  let deaths = 0;
  for (let phase = "first"; ; phase = "again") {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "poison-host.ts"), database, phase], {
      stderr: "inherit",
    });
    await child.exited;
    // Windows knows no signals: who is killed ends with 1.
    const isKilled = process.platform === "win32" ? child.exitCode === 1 : child.signalCode === "SIGKILL";
    if (!isKilled) {
      expect(child.exitCode).toBe(0);
      break;
    }
    deaths += 1;
    expect(deaths).toBeLessThan(20);
  }
  expect(deaths).toBe(LIMITS.CRASH_LOOP_DEATHS);
  const engine = createCronflow({ database });
  await engine.start();
  expect((await engine.list({ workflowId: "poison" })).runs).toMatchObject([
    { status: "failed", error: { code: "crash_loop" } },
  ]);
  const innocent = (await engine.list({ workflowId: "innocent" })).runs;
  expect(innocent.map(({ status }) => status)).toEqual(Array(innocent.length).fill("completed"));
  await engine.stop();
}, 60_000);
