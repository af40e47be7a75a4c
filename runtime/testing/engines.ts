/** Engines of tests: each over a directory of its own, gone afterwards. */
import { onTestFinished } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cronflow, createCronflow, type EngineOptions, type Logger } from "cronflow-ffi";

const cleanUps: (() => unknown)[] = [];

/** What is to be undone when the test is over: the latest first. */
function afterwards(cleanUp: () => unknown): void {
  if (cleanUps.push(cleanUp) > 1) return;
  onTestFinished(async () => {
    for (const next of cleanUps.splice(0).reverse()) await next();
  });
}

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "cronflow-test-"));
  afterwards(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An engine over a file of its own, which is stopped after the test. */
export function testEngine(options: EngineOptions = {}): Cronflow {
  const engine = createCronflow({ database: join(temporaryDirectory(), "test.db"), log: silent, ...options });
  afterwards(() => engine.stop({ timeout: 100 }));
  return engine;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
