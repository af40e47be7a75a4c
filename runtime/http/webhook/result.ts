/** `respond: "result"`: the sender waits for the run. The run goes on when nobody waits any longer. */
import { CronflowError, RunError } from "../../errors.ts";
import type { StartedRun } from "../../session.ts";
import { refuse } from "../answers.ts";
import type { HttpEngine } from "../engine.ts";
import type { Answer } from "./answer.ts";
import type { Deadlines } from "./deadlines.ts";

/** Resolves when the run has ended, the time is over, or the sender has left; it never rejects. */
export function awaitResult(
  engine: HttpEngine,
  deadlines: Deadlines,
  started: StartedRun,
  sender: AbortSignal,
): Promise<Answer> {
  const { runId } = started;
  const waiting = new AbortController();
  return new Promise((resolve) => {
    const give = (answer: Answer): void => {
      deadlines.close(deadline);
      sender.removeEventListener("abort", giveUp);
      resolve(answer);
    };
    /** Nobody needs the result any more. */
    const giveUp = (): void => {
      waiting.abort();
      give(unfinished(runId, "result_timeout", "The run is not finished yet."));
    };
    const deadline = deadlines.open(giveUp);
    sender.addEventListener("abort", giveUp);
    if (sender.aborted) {
      started.stopWaiting();
      return giveUp();
    }
    engine.outcome(started, waiting.signal).then(
      (output) => give(completed(runId, output)),
      (error) => {
        if (!waiting.signal.aborted) give(notCompleted(engine, runId, error));
      },
    );
  });
}

function completed(runId: string, output: unknown): Answer {
  // What is recorded is JSON; only the types do not know.
  return (context) => context.json((output ?? null) as object | null, 200, { "x-run-id": runId });
}

/** The run exists, whatever went wrong since. */
function notCompleted(engine: HttpEngine, runId: string, error: unknown): Answer {
  if (error instanceof RunError) {
    const { name, message } = error.error;
    const { status } = error;
    // Messages of errors may have anything in them, such as addresses with passwords.
    const told = engine.http.isProduction ? "The run did not complete." : message;
    return (context) => context.json({ runId, status, error: { name, message: told } }, 422);
  }
  const code = error instanceof CronflowError ? error.code : "result_unknown";
  // The engine was stopped, which is no fault.
  if (code === "closed") return unfinished(runId, code, "The engine has stopped; the run goes on with its next start.");
  engine.log().error(`the result of run ${runId} is not known`, error);
  return unfinished(runId, code, "The run exists; its result is not known yet.");
}

function unfinished(runId: string, code: string, message: string): Answer {
  return (context) => refuse(context, 504, code, message, {}, { runId });
}
