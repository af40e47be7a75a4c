/**
 * cronflow-ffi/testing: workflows under test, on the real engine, in a time that the test moves.
 *
 * @module
 */
export type { ErrorMatch } from "./assertions.ts";
export type { Coverage } from "./coverage/collector.ts";
export { coverage } from "./coverage/collector.ts";
export type { BranchCoverage, NodeCoverage } from "./coverage/reached.ts";
export type { CoverageReport, WorkflowCoverage } from "./coverage/report.ts";
export type { RunExpectation, StepExpectation } from "./expectations.ts";
export type { GenerateOptions, Random, SampleOptions } from "./generate/generate.ts";
export { generate, generatePayload, samples } from "./generate/generate.ts";
export type { DefinedService, Mock, MockActions, MockedService } from "./mocks.ts";
export { never } from "./mocks.ts";
export type { Difference } from "./replay/difference.ts";
export type { Recording } from "./replay/recording.ts";
export type { ReplayReport } from "./replay/replay.ts";
export { replayRecorded } from "./replay/replay.ts";
export { ExpectationError } from "./report.ts";
export type { StepResult, StepResults, StepState, TestResult } from "./run-view.ts";
export type { TestOptions } from "./scenario.ts";
export type { TestApp, TestAppOptions } from "./test-app.ts";
export { testApp } from "./test-app.ts";
export type { CrashOptions, WorkflowTestOptions } from "./workflow-test.ts";
export { WorkflowTest } from "./workflow-test.ts";
