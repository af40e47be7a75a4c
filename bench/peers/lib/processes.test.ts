import { expect, test } from "bun:test";
import { family, memory } from "./processes.ts";

test("a process and its children, and what they hold", async () => {
  const shell = Bun.spawn(["sh", "-c", "sleep 60 & echo; wait"], { stdout: "pipe" });
  await shell.stdout.getReader().read(); // The child is there now.
  const pids = family(shell.pid);
  for (const pid of pids.toReversed()) process.kill(pid);
  await shell.exited;
  expect(pids[0]).toBe(shell.pid);
  expect(pids).toHaveLength(2);
});

test("memory grows with what is held, and a process that is gone holds nothing", () => {
  const before = memory([process.pid]);
  const held = new Uint8Array(64 << 20).fill(1);
  expect(memory([process.pid]) - before).toBeGreaterThan(32 << 20);
  expect(held.at(-1)).toBe(1);
  expect(memory([2 ** 30])).toBe(0);
});
