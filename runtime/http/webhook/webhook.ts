/** A webhook: a request becomes a run, and is acknowledged after the commit. */
import type { Context } from "hono";
import type { WebhookOptions } from "../../definition/webhook-options.ts";
import { milliseconds } from "../../duration.ts";
import type { StartedRun, StartRequest } from "../../session.ts";
import { keepOpen } from "../connection.ts";
import type { HttpEngine } from "../engine.ts";
import type { Verifier } from "../verify/verifier.ts";
import type { Answer } from "./answer.ts";
import { type Deadline, Deadlines } from "./deadlines.ts";
import { WebhookError } from "./error.ts";
import { Exchange } from "./exchange.ts";
import { failureAnswer, notStarted } from "./failure.ts";
import { through } from "./middleware.ts";
import { type Received, receive, SKIPPED } from "./receive.ts";
import { redaction } from "./redaction.ts";
import { awaitResult } from "./result.ts";
import { triggerRecorder } from "./trigger.ts";

const DEFAULT_BODY_BYTES = 1 << 20;
const DEFAULT_RESULT_MS = 30_000;

const skipped: Answer = (context) => context.json({ skipped: true });
/** What comes after the time was over, which was answered. */
const unheard: Answer = (context) => context.body(null, 408);

export class Webhook {
  readonly method: string;
  readonly maxBodyBytes: number;
  readonly verifier: Verifier | undefined;
  /** What is recorded of a request, as `ctx.trigger`; with the body's text, if that is asked for. */
  readonly triggerText: (context: Context, rawBody: string | undefined) => string;
  /** How long a request may take until its run is started. */
  readonly #receipts: Deadlines;
  /** How long the sender waits for a result. */
  readonly #results: Deadlines;

  constructor(
    readonly engine: HttpEngine,
    readonly workflowId: string,
    readonly path: string,
    readonly options: WebhookOptions,
  ) {
    this.method = options.method ?? "POST";
    this.maxBodyBytes = options.maxBodyBytes ?? DEFAULT_BODY_BYTES;
    this.verifier = options.verify === "none" ? undefined : options.verify;
    this.triggerText = triggerRecorder(this.method, path, redaction(options.headers?.redact));
    this.#receipts = new Deadlines(() => engine.http.requestTimeoutMs);
    const resultMs = milliseconds(options.timeout ?? DEFAULT_RESULT_MS);
    this.#results = new Deadlines(() => resultMs);
  }

  /** Answers when the run is started, the request refused, or its time over. */
  serve(context: Context): Promise<Response> {
    return new Promise((resolve, reject) => {
      const exchange = new Exchange(this.#receipts, () => resolve(failureAnswer(this, context, tooLate())(context)));
      const answering =
        this.options.middleware === undefined
          ? this.#answer(context, exchange).then((answer) => answer(context))
          : this.#throughMiddleware(this.options.middleware, context, exchange, resolve);
      answering.then(resolve, reject);
    });
  }

  /** What fails or hangs in a middleware does not undo what was begun inside of it: the sender is told of that. */
  async #throughMiddleware(
    middleware: NonNullable<WebhookOptions["middleware"]>,
    context: Context,
    exchange: Exchange,
    tellAnyway: (response: Response) => void,
  ): Promise<Response> {
    let begun: Promise<Answer> | undefined;
    let leaving: Deadline | undefined;
    try {
      return await through(middleware, context, async () => {
        begun = this.#answer(context, exchange);
        const answer = await begun;
        leaving = this.#receipts.open(() => tellAnyway(answer(context)));
        return answer(context);
      });
    } catch (error) {
      if (exchange.isLate) return unheard(context);
      if (begun === undefined) return failureAnswer(this, context, error)(context);
      this.engine.log().error(`a middleware of ${this.method} ${this.path} failed`, error);
      return (await begun)(context);
    } finally {
      exchange.close();
      if (leaving !== undefined) this.#receipts.close(leaving);
    }
  }

  /** What the sender hears, whatever happens. */
  async #answer(context: Context, exchange: Exchange): Promise<Answer> {
    try {
      const received = await receive(this, context, exchange);
      if (exchange.isLate) return unheard;
      exchange.close();
      return received === SKIPPED ? skipped : await this.#start(context, received);
    } catch (error) {
      if (exchange.isLate) return unheard;
      exchange.close();
      return failureAnswer(this, context, error);
    }
  }

  async #start(context: Context, { start, payload }: Received): Promise<Answer> {
    const { engine, options } = this;
    const isAwaited = options.respond === "result";
    if (isAwaited) keepOpen(context);
    const started = await this.#startRun(start, isAwaited);
    const { runId, repeated } = started;
    if (options.onSuccess !== undefined) {
      this.tell("onSuccess", () => options.onSuccess?.({ runId, repeated, payload, request: context.req.raw }));
    }
    if (isAwaited) return awaitResult(engine, this.#results, started, context.req.raw.signal);
    return (context) => context.json({ runId }, repeated ? 200 : 202);
  }

  async #startRun(start: StartRequest, isAwaited: boolean): Promise<StartedRun> {
    try {
      return await this.engine.session().start(start, isAwaited);
    } catch (error) {
      throw notStarted(error);
    }
  }

  /** Calls a function of the user's beside the answer. */
  tell(name: string, call: () => unknown): void {
    Promise.try(call).catch((error) => {
      this.engine.log().error(`\`${name}\` of ${this.method} ${this.path} failed`, error);
    });
  }
}

/** The rest of the body is not read, so the connection cannot be used again. */
function tooLate(): WebhookError {
  return new WebhookError(408, "request_timeout", "The request was not complete in time.", {
    headers: { Connection: "close" },
  });
}
