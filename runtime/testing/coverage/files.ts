/**
 * Coverage that is written to a directory. Test runners end without telling, and run files in several processes: so each
 * part of a run writes what it knows whenever a test has ended, and puts together what all parts have written.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CoverageReport, merged, type WorkflowCoverage } from "./report.ts";

/** What tells this run of tests from earlier ones: the processes of one run have the same parent. */
const RUN = process.env["BUN_TEST_WORKER_ID"] === undefined ? process.pid : process.ppid;
const PREFIX = `${RUN}-`;

export class CoverageFiles {
  readonly #directory: string;
  readonly #parts: string;
  /** Every file of tests may have its own world of modules, all in one process. */
  readonly #part = `${PREFIX}${process.pid}-${crypto.randomUUID()}.json`;

  constructor(directory: string) {
    this.#directory = directory;
    this.#parts = join(directory, "parts");
    mkdirSync(this.#parts, { recursive: true });
    for (const name of readdirSync(this.#parts)) {
      if (!name.startsWith(PREFIX)) rmSync(join(this.#parts, name), { force: true });
    }
  }

  write(own: readonly WorkflowCoverage[]): void {
    replace(join(this.#parts, this.#part), JSON.stringify(own));
    // Who writes last has read the parts of all others, or finds that there is more.
    let read = this.#report();
    for (let again = this.#report(); again !== read; again = this.#report()) read = again;
  }

  /** Writes the report of all parts, and gives what it was made of. */
  #report(): string {
    const names = readdirSync(this.#parts).filter((name) => name.startsWith(PREFIX) && name.endsWith(".json"));
    const texts = names.sort().map((name) => readFileSync(join(this.#parts, name), "utf8"));
    const report = new CoverageReport(merged(texts.flatMap((text) => JSON.parse(text) as WorkflowCoverage[])));
    replace(join(this.#directory, "workflows.txt"), `${report.text()}\n`);
    replace(join(this.#directory, "workflows.json"), report.json());
    replace(join(this.#directory, "lcov.info"), report.lcov());
    return texts.join("\n");
  }
}

/** Whoever reads the file meanwhile finds it whole. */
function replace(file: string, text: string): void {
  const beside = `${file}.${process.pid}.tmp`;
  writeFileSync(beside, text);
  renameSync(beside, file);
}
