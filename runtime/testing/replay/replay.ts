/**
 * `replayRecorded()`: new code against a run that was recorded. Conditions, loops and waits are the new code's; what steps
 * gave is what is recorded, so nothing outside is called.
 */
import type { AnyWorkflow } from "../../builder/workflow.ts";
import type { AnyContext } from "../../context.ts";
import type { AnyHandler } from "../../definition.ts";
import { encode } from "../../json.ts";
import type { AttemptRecord } from "../../records.ts";
import { nodeKey } from "../../scope.ts";
import type { HandlerCall } from "../instrumented.ts";
import { shown } from "../report.ts";
import type { RunView, TestResult } from "../run-view.ts";
import { Scenario } from "../scenario.ts";
import type { WaitMessage } from "../waits.ts";
import { resultOf } from "../workflow-test.ts";
import { type Difference, firstDifference, unrecorded } from "./difference.ts";
import { Recorded, type Recording } from "./recording.ts";

/** What became of a replay. */
export interface ReplayReport {
  /** Whether the new code does what was recorded. */
  readonly matches: boolean;
  /** Where the two part first. */
  readonly difference: Difference | undefined;
  /** The same in a sentence. */
  readonly message: string;
  /** The run that the new code has made. */
  readonly run: TestResult;
}

/** Functions whose recorded value is used again; the others are asked. */
const USED_AGAIN: ReadonlySet<string> = new Set(["body", "on_error", "on_timeout"]);

/**
 * Runs a workflow's code against a recorded run, and says where they part first. What steps, `onError` and people gave is
 * taken from the record, in a time that does not have to be waited for. A run that is not over is followed as far as it
 * came. What conditions read of `ctx.state` and `ctx.services` is not recorded: they find nothing there.
 *
 * @param record What `inspect` gives, or its JSON.
 */
export async function replayRecorded(record: Recording | string, workflow: AnyWorkflow): Promise<ReplayReport> {
  const replay = new Replay(new Recorded(record), workflow);
  return replay.run();
}

class Replay {
  readonly #recorded: Recorded;
  readonly #scenario: Scenario;
  readonly #workflowId: string;
  #unrecorded: Difference | undefined;

  constructor(recorded: Recorded, { definition }: AnyWorkflow) {
    this.#recorded = recorded;
    this.#workflowId = definition.id;
    this.#scenario = new Scenario({
      definitions: [definition],
      now: recorded.record.createdAt,
      answer: (call) => this.#answer(call),
      log: SILENT,
    });
    for (const { kind, name } of definition.nodes.values()) {
      if (kind === "subflow") this.#scenario.mockSubflow(definition.id, name);
    }
  }

  async run(): Promise<ReplayReport> {
    const { payload, trigger } = this.#recorded.record;
    try {
      await this.#scenario.start();
      const runId = await this.#scenario.world.startRun(this.#workflowId, payload, trigger);
      await this.#follow(runId);
      const view = await this.#scenario.view(runId);
      const difference = firstDifference(this.#recorded, view, this.#unrecorded);
      return { matches: difference === undefined, difference, message: messageOf(difference), run: resultOf(view) };
    } finally {
      await this.#scenario.close();
    }
  }

  /** Goes on until the run is over, or there is nothing recorded that it could go on with. */
  async #follow(runId: string): Promise<void> {
    const { world } = this.#scenario;
    for (;;) {
      await world.settle();
      const view = await this.#scenario.view(runId);
      if (this.#unrecorded !== undefined || view.waits.length === 0) return;
      if (await this.#happens(view)) continue;
      const next = world.clock.next;
      if (next === undefined || !view.waits.some((wait) => this.#passes(wait))) return;
      await world.advance(next - world.clock.now());
    }
  }

  /** Lets one of the recorded events or answers happen that the run waits for. */
  async #happens({ waits, record }: RunView): Promise<boolean> {
    for (const wait of waits) {
      if (wait.for !== "event" && wait.for !== "approval") continue;
      const step = nodeKey(wait.step, wait.scope);
      const end = this.#recorded.end(step);
      if (end?.status !== "completed" || isTimedOut(end)) continue;
      // Published or answered once: if it is not taken, the two part here.
      if (this.#recorded.next(step, "body") === undefined) continue;
      if (wait.for === "event") await this.#publish(wait.event as string, end.output);
      else await this.#scenario.answer(answerOf(end.output), { run: record.runId, step });
      return true;
    }
    return false;
  }

  async #publish(event: string, payload: unknown): Promise<void> {
    const { world } = this.#scenario;
    await world.perform(() => world.engine.publishEvent(event, payload));
  }

  /** Whether the recorded run went past a wait for a time. */
  #passes(wait: WaitMessage): boolean {
    const step = nodeKey(wait.step, wait.scope);
    switch (wait.for) {
      case "start":
        return this.#recorded.record.attempts.length > 0;
      case "retry":
      case "delay":
        return this.#recorded.hasNext(step, wait.handler ?? "body");
      case "handler":
        return this.#recorded.end(step)?.status === "timed_out";
      case "sleep":
        return this.#recorded.end(step) !== undefined;
      case "event":
      case "approval": {
        const end = this.#recorded.end(step);
        return end !== undefined && isTimedOut(end);
      }
      default:
        return false;
    }
  }

  /** What a function gives: what is recorded of it, or what the new code says. */
  #answer({ node, handler, context, original }: HandlerCall): unknown {
    if (handler === "on_pause") return undefined;
    if (!USED_AGAIN.has(handler)) return original(context);
    const step = context.idempotencyKey.slice(context.run.id.length + 1);
    const attempt = this.#recorded.next(step, handler as AttemptRecord["handler"]);
    if (attempt === undefined) {
      // A run that is not over may not have come here yet.
      if (this.#recorded.hasEnded) this.#unrecorded ??= unrecorded(step);
      return this.#scenario.hang(context);
    }
    if (attempt.status === "timed_out" || attempt.status === "cancelled") return this.#scenario.hang(context);
    const input = handler === "body" ? node.functions.input : undefined;
    return input === undefined ? outcomeOf(attempt, node.name) : this.#givenTo(input, step, context, attempt);
  }

  /** What a child run gave, if it is still given what it was given. */
  async #givenTo(input: AnyHandler, step: string, context: AnyContext, attempt: AttemptRecord): Promise<unknown> {
    const before = this.#recorded.next(step, "input")?.output;
    const now: unknown = JSON.parse(encode(await input(context), "input") ?? "null");
    if (!Bun.deepEquals(before ?? null, now)) {
      this.#unrecorded ??= { path: `${step} (input)`, expected: shown(before), got: `it is ${shown(now)}` };
      return this.#scenario.hang(context);
    }
    return outcomeOf(attempt, step);
  }
}

function outcomeOf(attempt: AttemptRecord, step: string): unknown {
  if (attempt.status === "failed") throw thrownAgain(attempt, step);
  return attempt.output;
}

/** An error like the recorded one. */
function thrownAgain({ error }: AttemptRecord, step: string): Error {
  const { name = "Error", message = `step \`${step}\` failed`, code } = error ?? {};
  const again = Object.assign(new Error(message), { name, ...(code !== undefined && { code }) });
  // Its class is not recorded: this is what says that no further attempt helps.
  return name === "NonRetryableError" ? Object.assign(again, { kind: "invalid" }) : again;
}

function isTimedOut({ output }: AttemptRecord): boolean {
  return (output as { timedOut?: unknown } | null | undefined)?.timedOut === true;
}

/** What a person has said. */
function answerOf(output: unknown): { readonly approved: boolean } {
  const { status: _status, timedOut: _timedOut, ...said } = output as Record<string, unknown>;
  return { ...said, approved: said["approved"] === true };
}

function messageOf(difference: Difference | undefined): string {
  if (difference === undefined) return "The code does what was recorded.";
  const { path, expected, got } = difference;
  return `They part at \`${path}\`: recorded is ${expected}; now ${got}.`;
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
