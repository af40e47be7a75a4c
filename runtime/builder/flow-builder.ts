/** What the words of the flow language do: they add nodes. Their types, which users see, are in `flow.ts`. */
import { checkDuration, checkFunction, checkWhole, invalid, LARGEST_COUNT, shown } from "../definition/check.ts";
import type { AnyHandler, LoopSpec, NodeSpec } from "../definition/node.ts";
import type { CacheOptions, CircuitBreakerOptions, RetryOptions, StepOptions } from "../definition/options.ts";
import { notePosition } from "../definition/position.ts";
import { Sequence } from "../definition/sequence.ts";
import { checkStepOptions } from "../definition/step-options.ts";
import type { Definition } from "../definition.ts";
import type { Duration } from "../duration.ts";
import { encode } from "../json.ts";
import type { LogLevel } from "../log.ts";
import { LIMITS } from "../native/generated.ts";
import type { HandlerName, NodeKind } from "../native/protocol.ts";
import type { Schema } from "../schema.ts";
import { type Branch, builtBy, handlerOf } from "./branch.ts";
import {
  durationMs,
  eventFilter,
  type Filter,
  firstTrue,
  type Moment,
  millisecondsSince1970,
  momentMs,
  oneOrZero,
  valueOr,
} from "./functions.ts";
import { type ItemBody, itemLoop } from "./item-loop.ts";
import type { Method } from "./methods.ts";
import { isPlaceholder } from "./placeholder.ts";

/** A name, or an object that also describes. */
type Name = string | { readonly id: string; readonly title?: string; readonly description?: string };
interface Named {
  readonly name?: Name;
}

/** What a node is made of, besides its name and its place. */
interface Parts {
  readonly functions?: Partial<Record<HandlerName, AnyHandler>>;
  readonly fields?: Record<string, unknown>;
  readonly options?: StepOptions;
  readonly branches?: readonly (readonly NodeSpec[])[];
  readonly body?: readonly NodeSpec[];
  readonly approvalUrl?: ((token: string) => string) | undefined;
  readonly child?: Definition | undefined;
}

/** Chained options that only make sense for what calls one function. */
const OF_STEPS: Partial<Record<Method, readonly NodeKind[]>> = {
  timeout: ["step", "action"],
  delay: ["step", "action"],
  circuitBreaker: ["step", "action"],
  cache: ["step"],
};

export class FlowBuilder implements Record<Method, unknown> {
  readonly sequence: Sequence;

  constructor(sequence: Sequence) {
    this.sequence = sequence;
  }

  step(name: Name, handler: AnyHandler, options: StepOptions = {}): this {
    return this.#step("step", name, handler, options);
  }

  action(name: Name, handler: AnyHandler, options: StepOptions = {}): this {
    return this.#step("action", name, handler, options);
  }

  log(message: string | AnyHandler, level: LogLevel = "info", { name }: Named = {}): this {
    const text = typeof message === "function" ? message : () => message;
    return this.#step("action", name ?? this.#standardName("log"), (ctx) => ctx.log[level](String(text(ctx))), {});
  }

  retry(retry: RetryOptions): this {
    return this.#option("retry", { retry });
  }

  timeout(timeout: Duration): this {
    return this.#option("timeout", { timeout });
  }

  delay(delay: Duration): this {
    return this.#option("delay", { delay });
  }

  cache(cache: CacheOptions): this {
    return this.#option("cache", { cache });
  }

  circuitBreaker(circuitBreaker: CircuitBreakerOptions = {}): this {
    return this.#option("circuitBreaker", { circuitBreaker });
  }

  onError(handler: AnyHandler): this {
    const { node, at } = this.sequence.current("onError");
    const where = this.#where(node);
    if (at === "opened") throw invalid(`${where}: .onError() of an if stands after its .endIf(). Move it there.`);
    if (node.kind === "cancel" || "duration_ms" in node.fields || "until_ms" in node.fields) {
      throw invalid(`${where} cannot fail: .onError() after it is never called. Remove it.`);
    }
    checkFunction(where, "what .onError() is given", handler);
    node.functions.on_error = handler;
    return this;
  }

  if(...given: [condition: AnyHandler] | [name: Name, condition: AnyHandler]): this {
    const [name, condition] = given.length === 1 ? [undefined, given[0]] : given;
    const branches: NodeSpec[][] = [[]];
    const conditions = [condition];
    const node = this.#node("if", name, "if", { functions: { condition: firstTrue(conditions) }, branches });
    checkFunction(this.#where(node), "its condition", condition);
    this.sequence.openIf(node, branches, conditions);
    return this;
  }

  elseIf(condition: AnyHandler): this {
    checkFunction(`${this.sequence.workflow}, ${this.sequence.place}`, "the condition of .elseIf()", condition);
    this.sequence.elseIf(condition);
    return this;
  }

  else(): this {
    this.sequence.else();
    return this;
  }

  endIf(): this {
    this.sequence.endIf();
    return this;
  }

  parallel(branches: readonly Branch[] | Readonly<Record<string, Branch>>, { name }: Named = {}): this {
    return this.#branches("parallel", branches, name);
  }

  race(branches: readonly Branch[], { name }: Named = {}): this {
    return this.#branches("race", branches, name);
  }

  while(
    name: Name,
    condition: AnyHandler,
    body: Branch,
    { maxIterations = 1_000 }: { maxIterations?: number } = {},
  ): this {
    const nodes: NodeSpec[] = [];
    const node = this.#add("while", name, "while", {
      functions: { condition: oneOrZero(condition) },
      fields: { max_iterations: maxIterations },
      body: nodes,
    });
    const where = this.#where(node);
    checkFunction(where, "its condition", condition);
    checkWhole(where, "maxIterations", maxIterations, 1, LIMITS.ITERATIONS);
    const names: string[] = [];
    const loop: LoopSpec = { name: node.name, kind: "while", names };
    const first = this.sequence.registry.count;
    nodes.push(...this.#block(node, body, "body", `the body of \`${node.name}\``, [...this.sequence.loops, loop]));
    names.push(...this.sequence.registry.namesSince(first));
    return this;
  }

  forEach(name: Name, items: unknown, body: ItemBody, { concurrency = 1 }: { concurrency?: number } = {}): this {
    return this.#itemLoop(name, items, body, concurrency);
  }

  batch(
    name: Name,
    { items, size, concurrency = 1 }: { items: unknown; size: number; concurrency?: number },
    body: ItemBody,
  ): this {
    checkWhole(this.#here("batch"), "size", size, 1, LARGEST_COUNT);
    return this.#itemLoop(name, items, body, concurrency, size);
  }

  sleep(duration: Duration | AnyHandler, { name }: Named = {}): this {
    const isFunction = this.#isFunction("sleep", duration);
    const fields = isFunction ? {} : { duration_ms: checkDuration(this.#here("sleep"), "duration", duration) };
    const functions = isFunction ? { duration: durationMs(duration) } : {};
    this.#add("sleep", name, "sleep", { functions, fields });
    return this;
  }

  sleepUntil(moment: Moment | AnyHandler, { name }: Named = {}): this {
    const isFunction = this.#isFunction("sleepUntil", moment);
    const fields = isFunction ? {} : { until_ms: this.#moment(moment) };
    const functions = isFunction ? { duration: momentMs(moment) } : {};
    this.#add("sleep_until", name, "sleep", { functions, fields });
    return this;
  }

  waitForEvent(
    event: string,
    { name, timeout, filter, schema }: Named & { timeout?: Duration; filter?: Filter; schema?: Schema } = {},
  ): this {
    const where = this.#here("waitForEvent");
    if (typeof event !== "string" || event === "" || Buffer.byteLength(event) > LIMITS.NAME_LENGTH) {
      throw invalid(`${where}: the event is ${shown(event)}; give a text of 1 to ${LIMITS.NAME_LENGTH} bytes.`);
    }
    if (filter !== undefined) checkFunction(where, "filter", filter);
    const isFiltered = filter !== undefined || schema !== undefined;
    this.#add("wait_for_event", name, "wait", {
      functions: isFiltered ? { filter: eventFilter(event, schema, filter) } : {},
      fields: {
        event,
        ...(timeout !== undefined && { wait_ms: checkDuration(where, "timeout", timeout) }),
        ...(isFiltered && { filter: true }),
      },
    });
    return this;
  }

  humanInTheLoop({ name, description, timeout, onPause, onTimeout, approvalUrl, metadata }: ApprovalParts = {}): this {
    const where = this.#here("humanInTheLoop");
    for (const [what, given] of Object.entries({ onPause, onTimeout, approvalUrl })) {
      if (given !== undefined) checkFunction(where, what, given);
    }
    if (description !== undefined && typeof description !== "string") {
      throw invalid(`${where}: \`description\` is ${shown(description)}; give a text.`);
    }
    this.#add("approval", name, "approval", {
      functions: {
        ...(onPause !== undefined && { on_pause: (ctx) => onPause(ctx as never, ctx.token as string) }),
        ...(onTimeout !== undefined && { on_timeout: onTimeout }),
      },
      fields: {
        ...(timeout !== undefined && { wait_ms: checkDuration(where, "timeout", timeout) }),
        ...(onPause !== undefined && { on_pause: true }),
        ...(onTimeout !== undefined && { on_timeout: true }),
        ...(description !== undefined && { description }),
        ...(metadata !== undefined && { metadata: this.#recordable(where, metadata) }),
      },
      approvalUrl,
    });
    return this;
  }

  subflow(
    name: Name,
    workflow: string | { readonly id: string; readonly definition?: Definition },
    ...input: [input?: unknown]
  ): this {
    const { id, definition: child } = typeof workflow === "object" && workflow !== null ? workflow : { id: workflow };
    if (typeof id !== "string" || id === "") {
      throw invalid(`${this.#here("subflow")}: give the id of a workflow, or the workflow; not ${shown(workflow)}.`);
    }
    this.#add("subflow", name, "subflow", {
      functions: input.length === 0 ? {} : { input: valueOr(input[0]) },
      fields: { workflow: id, ...(input.length > 0 && { input: true }) },
      child,
    });
    return this;
  }

  cancel(reason?: string, { name }: Named = {}): this {
    if (reason !== undefined && (typeof reason !== "string" || Buffer.byteLength(reason) > LIMITS.REASON_BYTES)) {
      throw invalid(
        `${this.#here("cancel")}: the reason is ${shown(reason)}; give a text of up to ${LIMITS.REASON_BYTES} bytes.`,
      );
    }
    this.#add("cancel", name, "cancel", { fields: reason === undefined ? {} : { reason } });
    return this;
  }

  #step(kind: "step" | "action", name: Name, handler: AnyHandler, options: StepOptions): this {
    const node = this.#add(kind, name, kind, { functions: { body: handler }, options });
    checkFunction(this.#where(node), "its handler", handler);
    this.#checkOptions(node, options);
    return this;
  }

  #branches(kind: "parallel" | "race", given: readonly Branch[] | Readonly<Record<string, Branch>>, name?: Name): this {
    const isList = Array.isArray(given);
    const entries = isList
      ? given.map((branch, index) => [String(index + 1), branch] as const)
      : Object.entries(given ?? {});
    const lists: (readonly NodeSpec[])[] = [];
    const node = this.#add(kind, name, kind, {
      fields: isList ? {} : { keys: entries.map(([key]) => key) },
      branches: lists,
    });
    const where = this.#where(node);
    if (kind === "race" && !isList) throw invalid(`${where}: give a list of branches.`);
    if (entries.length === 0) throw invalid(`${where} has no branches. Add one, or remove it.`);
    if (entries.length > LIMITS.BRANCHES)
      throw invalid(`${where} has more than ${LIMITS.BRANCHES} branches. Use .forEach() for many.`);
    for (const [key, branch] of entries) {
      lists.push(this.#block(node, branch as Branch, key, `branch ${key} of \`${node.name}\``, this.sequence.loops));
    }
    return this;
  }

  /** The steps of a branch or body; a handler is a block of one step. */
  #block(node: NodeSpec, given: Branch, key: string, where: string, loops: readonly LoopSpec[]): readonly NodeSpec[] {
    checkFunction(this.#where(node), where, given);
    const { registry, depthInside, workflow, around } = this.sequence;
    const begin = (): FlowBuilder =>
      new FlowBuilder(new Sequence(registry, loops, where, depthInside + 1, [...around, where]));
    const built = builtBy(given, begin());
    if (built?.length === 0) throw invalid(`${workflow}: ${where} has no steps. Add one, or remove it.`);
    return (
      built ??
      begin()
        .step(`${node.name}.${key}`, handlerOf(given, `${this.#where(node)}: ${where}`))
        .sequence.close()
    );
  }

  #itemLoop(name: Name, items: unknown, body: ItemBody, concurrency: number, size?: number): this {
    const nodes: NodeSpec[] = [];
    const node = this.#add("for_each", name, "for_each", {
      functions: { items: valueOr(items) },
      fields: { concurrency, ...(size !== undefined && { size }) },
      body: nodes,
    });
    const where = this.#where(node);
    checkFunction(where, "its body", body);
    checkWhole(where, "concurrency", concurrency, 1, LIMITS.LOOP_CONCURRENCY);
    const built = itemLoop(node.name, size, body, this.sequence, (inside) => new FlowBuilder(inside));
    nodes.push(...built.body);
    return this;
  }

  #add(kind: NodeKind, name: Name | undefined, word: string, parts: Parts): NodeSpec {
    const node = this.#node(kind, name, word, parts);
    this.sequence.add(node);
    return node;
  }

  #node(kind: NodeKind, name: Name | undefined, word: string, parts: Parts): NodeSpec {
    const { id, ...described } = typeof name === "object" && name !== null ? name : { id: name };
    const { functions = {}, fields = {}, options = {}, branches, body, approvalUrl, child } = parts;
    const node: NodeSpec = {
      kind,
      name: id ?? this.#standardName(word),
      place: this.sequence.place,
      options: { ...described, ...options },
      functions,
      loops: this.sequence.loops,
      around: this.sequence.around,
      fields,
      ...(branches !== undefined && { branches }),
      ...(body !== undefined && { body }),
      ...(approvalUrl !== undefined && { approvalUrl }),
      ...(child !== undefined && { child }),
    };
    notePosition(node);
    return node;
  }

  #standardName(word: string): string {
    return `${word}-${this.sequence.registry.count + 1}`;
  }

  #option(method: Method, options: StepOptions): this {
    const { node, at } = this.sequence.current(method);
    const where = this.#where(node);
    if (at === "closed") throw invalid(`${where}: .${method}() of an if stands right after its .if(). Move it there.`);
    const isRetryable = Object.keys(node.functions).some((name) => name !== "on_error");
    if (method === "retry" && !isRetryable) {
      throw invalid(`${where} calls no function that could be tried again: .retry() follows a step. Remove it.`);
    }
    this.#checkOptions(node, options);
    node.options = { ...node.options, ...options };
    return this;
  }

  #checkOptions(node: NodeSpec, options: StepOptions): void {
    const where = this.#where(node);
    for (const [method, kinds] of Object.entries(OF_STEPS)) {
      if (options[method as keyof StepOptions] !== undefined && !kinds.includes(node.kind)) {
        throw invalid(
          `${where}: ${method} is for ${kinds.join(" and ")} only. Put it on the steps inside, or remove it.`,
        );
      }
    }
    checkStepOptions(where, options, `${this.sequence.registry.workflowId}.${node.name}`);
  }

  #where({ kind, name, place }: NodeSpec): string {
    return `${this.sequence.workflow}, ${kind} \`${name}\`, ${place}`;
  }

  /** Where the next node stands, for what is checked before there is one. */
  #here(method: Method): string {
    return `${this.sequence.workflow}, .${method}(), ${this.sequence.place}`;
  }

  /** Whether a value is made at run time. */
  #isFunction<T>(method: Method, given: T | AnyHandler): given is AnyHandler {
    if (isPlaceholder(given)) {
      throw invalid(
        `${this.#here(method)}: a part of the loop's item is not known at definition. Give a function: (ctx) => ctx.item…`,
      );
    }
    return typeof given === "function";
  }

  #moment(moment: Moment): number {
    try {
      return millisecondsSince1970(moment);
    } catch (error) {
      throw invalid(`${this.#here("sleepUntil")}: ${(error as Error).message}`);
    }
  }

  #recordable(where: string, metadata: unknown): unknown {
    try {
      const text = encode(metadata, "metadata");
      return text === undefined ? undefined : JSON.parse(text);
    } catch (error) {
      throw invalid(`${where}: ${(error as Error).message}`);
    }
  }
}

interface ApprovalParts extends Named {
  readonly description?: string;
  readonly timeout?: Duration;
  readonly onPause?: (context: never, token: string) => unknown;
  readonly onTimeout?: AnyHandler;
  readonly approvalUrl?: (token: string) => string;
  readonly metadata?: unknown;
}
