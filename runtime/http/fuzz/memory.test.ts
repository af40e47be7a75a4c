import { expect, test } from "bun:test";
import { growth, type Memory, memoryInUse } from "./memory.ts";

const BEFORE: Memory = { residentBytes: 100 << 20, objects: 10_000 };
const REQUESTS = 1_000_000;

test.each<[string, Partial<Memory>, boolean]>([
  ["nothing", {}, false],
  ["less than before", { residentBytes: 50 << 20, objects: 1 }, false],
  ["an object of each tenth request", { objects: 110_000 }, false],
  ["an object of each third request", { objects: 343_000 }, true],
  ["what was under way", { residentBytes: 150 << 20 }, false],
  ["a few bytes of each request", { residentBytes: 228 << 20 }, true],
])("%s may be kept, or not", (_what, after, isTooMuch) => {
  expect(growth([BEFORE, { ...BEFORE, ...after }], REQUESTS).fault !== undefined).toBe(isTooMuch);
});

test("what is kept is counted", async () => {
  const kept = Array.from({ length: 500_000 }, (_, number) => ({ number }));
  expect((await memoryInUse()).objects).toBeGreaterThan(kept.length);
});
