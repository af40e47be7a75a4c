/** Engines of tests: each over a directory of its own, gone afterwards. */
import { afterEach } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cronflow, createCronflow, type EngineOptions, type Logger } from "cronflow-ffi";

const engines: Cronflow[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop({ timeout: 100 })));
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "cronflow-test-"));
  directories.push(directory);
  return directory;
}

/** An engine over a file of its own, which is stopped after the test. */
export function testEngine(options: EngineOptions = {}): Cronflow {
  const engine = createCronflow({ database: join(temporaryDirectory(), "test.db"), log: silent, ...options });
  engines.push(engine);
  return engine;
}

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
