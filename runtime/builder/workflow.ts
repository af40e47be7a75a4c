/** The fluent builder. It adds to a `Definition`; its types carry what each step returns to the steps after it. */
import type { Context, ErrorContext } from "../context.ts";
import type { AnyHandler, Definition, RetryOptions, StepOptions, WebhookOptions } from "../definition.ts";
import type { Duration } from "../duration.ts";
import type { LogLevel } from "../log.ts";
import type { Recorded } from "../recorded.ts";
import type { OutputOf, Schema } from "../schema.ts";

/** A step is named by a string, or by an object that also describes it. */
export type StepName<Name extends string> =
  | Name
  | { readonly id: Name; readonly title?: string; readonly description?: string };

type Steps = Record<never, never>;
/** `unknown` until the first trigger tells more; several triggers give a union. */
type Payloads<Before, Added> = [Before] extends [NoTrigger] ? Added : Before | Added;
declare const noTrigger: unique symbol;
/** No trigger has been named yet. */
export type NoTrigger = { readonly [noTrigger]: true };
type Seen<Payload> = [Payload] extends [NoTrigger] ? unknown : Payload;
type Output<T> = Recorded<Awaited<T>>;

/**
 * A workflow under construction, and when it is finished, the handle it is triggered by.
 *
 * `Payload` is what runs start with, `Last` the output of the latest step, `Done` the steps so far, `Current` the
 * name of the step that chained options speak of.
 */
export class Workflow<Payload = NoTrigger, Last = undefined, Done = Steps, Current extends string = never> {
  /** The engine's side. */
  readonly definition: Definition;
  declare readonly types: { readonly payload: Seen<Payload>; readonly output: Last };

  constructor(definition: Definition) {
    this.definition = definition;
  }

  get id(): string {
    return this.definition.id;
  }

  /** Starts a run for each request to this path. */
  onWebhook<S extends Schema = Schema>(
    path: `/${string}`,
    options: WebhookOptions<S> = {},
  ): Workflow<Payloads<Payload, Recorded<OutputOf<S>>>, Last, Done, Current> {
    this.definition.triggers.push({ type: "webhook", path, options });
    return this.#as();
  }

  /** Runs are started by `trigger` and `execute`; a schema parses what they are given. */
  manual<S extends Schema = Schema>(
    options: { readonly schema?: S } = {},
  ): Workflow<Payloads<Payload, Recorded<OutputOf<S>>>, Last, Done, Current> {
    this.definition.triggers.push({ type: "manual", ...options });
    return this.#as();
  }

  /** A durable step: once its output is recorded, it never runs again. */
  step<const Name extends string, T>(
    name: StepName<Name>,
    handler: (ctx: Context<Seen<Payload>, Last, Done>) => T,
    options: StepOptions = {},
  ): Workflow<Payload, Output<T>, Done & { readonly [K in Name]: { readonly output: Output<T> } }, Name> {
    this.#add("step", name, handler as unknown as AnyHandler, options);
    return this.#as();
  }

  /** As durable as a step; its output is dropped and `ctx.last` passes through. */
  action<const Name extends string>(
    name: StepName<Name>,
    handler: (ctx: Context<Seen<Payload>, Last, Done>) => unknown,
    options: StepOptions = {},
  ): Workflow<Payload, Last, Done, Name> {
    this.#add("action", name, handler as unknown as AnyHandler, options);
    return this.#as();
  }

  /** Writes a line to the log, once. */
  log(
    message: string | ((ctx: Context<Seen<Payload>, Last, Done>) => string),
    level: LogLevel = "info",
  ): Workflow<Payload, Last, Done, never> {
    const name = `log-${this.definition.steps.length + 1}`;
    return this.action(name, (ctx) => ctx.log[level](typeof message === "string" ? message : message(ctx))).#as();
  }

  /** When the step before is tried again. */
  retry(retry: RetryOptions): this {
    return this.#options("retry", { retry });
  }

  /** How long an attempt of the step before may take. */
  timeout(timeout: Duration): this {
    return this.#options("timeout", { timeout });
  }

  /** How long to wait before the first attempt of the step before. */
  delay(delay: Duration): this {
    return this.#options("delay", { delay });
  }

  /** Called after the last attempt of the step before failed; what it returns becomes the step's output. */
  onError<T>(
    handler: (ctx: ErrorContext<Seen<Payload>, unknown, Done>) => T,
  ): Workflow<
    Payload,
    Current extends keyof Done ? Last | Output<T> : Last,
    { readonly [K in keyof Done]: K extends Current ? OutputUnion<Done[K], Output<T>> : Done[K] },
    Current
  > {
    this.definition.lastStep("onError").onError = handler as unknown as AnyHandler;
    return this.#as();
  }

  #add(kind: "step" | "action", name: StepName<string>, handler: AnyHandler, options: StepOptions): void {
    const described = typeof name === "string" ? { id: name } : name;
    const { id, ...description } = described;
    this.definition.add({ kind, name: id, handler, options: { ...description, ...options } });
  }

  #options(method: string, options: StepOptions): this {
    const step = this.definition.lastStep(method);
    step.options = { ...step.options, ...options };
    return this;
  }

  // The same object; only what is known of it at compile time has grown.
  #as<P, L, D, C extends string>(): Workflow<P, L, D, C> {
    return this as unknown as Workflow<P, L, D, C>;
  }
}

type OutputUnion<Before, Added> = Before extends { readonly output: infer O } ? { readonly output: O | Added } : Before;

/** Any workflow, whatever it carries. */
// biome-ignore lint/suspicious/noExplicitAny: stands for every instantiation
export type AnyWorkflow = Workflow<any, any, any, any>;
/** What a workflow's runs start with. */
export type PayloadOf<W extends AnyWorkflow> = W["types"]["payload"];
/** What a workflow's runs return. */
export type RunOutputOf<W extends AnyWorkflow> = W["types"]["output"];
