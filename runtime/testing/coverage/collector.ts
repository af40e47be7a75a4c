/** Which steps and branches the tests of this process have reached. */
import type { Definition } from "../../definition.ts";
import type { RunView } from "../run-view.ts";
import { CoverageFiles } from "./files.ts";
import { addRun, type NodeCoverage, untouched } from "./reached.ts";
import { CoverageReport } from "./report.ts";

/** Counts what runs of tests reach: `coverage` is that of this process. */
export class Coverage {
  readonly #workflows = new Map<string, NodeCoverage[]>();
  readonly #directory: string | undefined;
  #files: CoverageFiles | undefined;
  #isOn: boolean;

  /** @param directory Where reports are written after each test; none: they are only given. */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    this.#isOn = directory !== undefined;
  }

  /** Whether it counts: since `start()`, or from the beginning with `CRONFLOW_COVERAGE`. */
  get isOn(): boolean {
    return this.#isOn;
  }

  /** Counts from now on, from nothing. With `CRONFLOW_COVERAGE=directory` in the environment it counts from the beginning. */
  start(): void {
    this.#isOn = true;
    this.#workflows.clear();
  }

  /** What has been reached so far. */
  report(): CoverageReport {
    return new CoverageReport([...this.#workflows].map(([workflowId, nodes]) => ({ workflowId, nodes })));
  }

  /** Adds what the runs of a test have reached. */
  add(definitions: readonly Definition[], runs: readonly RunView[]): void {
    for (const definition of definitions) this.#know(definition);
    for (const run of runs) addRun(this.#workflows.get(run.record.workflowId) ?? [], run);
    if (this.#directory === undefined) return;
    this.#files ??= new CoverageFiles(this.#directory);
    this.#files.write(this.report().workflows);
  }

  /** Another version of a workflow may have other nodes. */
  #know(definition: Definition): void {
    const known = this.#workflows.get(definition.id) ?? [];
    const names = new Set(known.map(({ name }) => name));
    this.#workflows.set(definition.id, [...known, ...untouched(definition).filter(({ name }) => !names.has(name))]);
  }
}

/** The coverage of this process. */
export const coverage: Coverage = new Coverage(process.env["CRONFLOW_COVERAGE"] || undefined);
