/**
 * An engine over the real core whose time a test moves: it goes from timer to timer, and lets everything come to rest in
 * between. Nothing here knows a rule of a run's life.
 */
import { Cronflow, type EngineOptions, type Foundation, type Inside, insideOf } from "../app.ts";
import type { Definition } from "../definition.ts";
import { Definitions } from "../definitions.ts";
import { encode } from "../json.ts";
import type { ServiceSettings } from "../services/services.ts";
import type { Session } from "../session.ts";
import { InlineCore } from "./inline-core.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface VirtualEngineOptions {
  readonly definitions: Iterable<Definition>;
  readonly settings: EngineOptions;
  readonly services: Foundation["services"] & Pick<ServiceSettings, "secretOf">;
  /** What tells its run ids from those of other engines. */
  readonly node: number;
  /** The time at the beginning, in milliseconds since 1970. */
  readonly startMs: number;
  /** How long handlers may take, in real milliseconds, before the clock moves on without them. */
  readonly patienceMs: number;
  /** Called when nothing moves by itself any more; gives whether it has set something in motion. */
  readonly onRest: () => Promise<boolean>;
  /** Calls what calls the user's functions, of whatever kind. */
  readonly within: <T>(work: () => T) => T;
}

export class VirtualEngine {
  readonly engine: Cronflow;
  readonly clock: VirtualClock;
  readonly #options: VirtualEngineOptions;
  readonly #inside: Inside;
  /** Calls of the engine's verbs that have not answered. */
  #operations = 0;
  /** Attempts that are known never to end by themselves. */
  readonly #hanging = new Set<AbortSignal>();
  /** Attempts that the clock has moved on without, and how much else. */
  readonly #leftAttempts = new Set<string>();
  #leftOthers = 0;
  #wantsCrash = false;
  #onChange: (() => void)[] = [];

  constructor(options: VirtualEngineOptions) {
    this.#options = options;
    this.clock = new VirtualClock(options.startMs);
    const definitions = new Definitions();
    for (const definition of options.definitions) definitions.add(definition);
    const openCore = (): InlineCore => new InlineCore(this.clock, options.node, this.#changed);
    this.engine = new Cronflow(options.settings, { definitions, openCore, services: options.services });
    this.#inside = insideOf(this.engine);
  }

  async start(): Promise<void> {
    await this.#options.within(() => this.engine.start());
    await this.settle();
  }

  async close(): Promise<void> {
    const isIdle = this.session.activity().executing.length === 0;
    await this.#options.within(() => this.engine.stop({ timeout: isIdle ? this.#options.patienceMs : 0 }));
  }

  /** The session of now: a crash brings another. */
  get session(): Session {
    return this.#inside.session();
  }

  /** Asks the core something that is not among the engine's verbs. */
  ask<Result extends Record<string, unknown>>(command: string): Promise<Result> {
    return this.perform(() => this.session.ask<Result>(command));
  }

  /** Starts a run with exactly this payload and trigger. */
  async startRun(workflowId: string, payload: unknown, trigger: unknown): Promise<string> {
    const texts = { payload: encode(payload, "payload"), trigger: encode(trigger, "trigger") };
    const started = await this.perform(() => this.session.start({ workflowId, ...texts }));
    return started.runId;
  }

  /** Calls a verb of the engine. Until it has answered, or waits for the end of a run, the engine is not at rest. */
  async perform<T>(operation: () => T | Promise<T>): Promise<T> {
    this.#operations += 1;
    try {
      return await this.#options.within(operation);
    } finally {
      this.#operations -= 1;
      this.#changed();
    }
  }

  /** Resolves when nothing more happens before the clock moves. */
  settle(): Promise<void> {
    return this.#options.within(() => this.#settle());
  }

  async #settle(): Promise<void> {
    for (;;) {
      if (this.#wantsCrash) await this.crash();
      if (this.clock.moveTo(this.clock.now())) continue;
      const { isCoreBusy, isUserBusy } = this.#look();
      // What is queued for the core goes as soon as this turn is over.
      if (isCoreBusy) await Promise.resolve();
      else if (isUserBusy) await this.#change();
      else if (!(await this.#options.onRest())) return;
    }
  }

  /** Lets time pass as a clock on the wall would. */
  advance(ms: number): Promise<void> {
    return this.#options.within(() => this.#advance(ms));
  }

  async #advance(ms: number): Promise<void> {
    await this.settle();
    const untilMs = this.clock.now() + ms;
    for (let next = this.clock.next; next !== undefined && next <= untilMs; next = this.clock.next) {
      this.clock.moveTo(next);
      await this.settle();
    }
    this.clock.moveTo(untilMs);
    await this.settle();
  }

  /** Loses all that is not stored, and goes on as the next process would. */
  async crash(): Promise<void> {
    this.#wantsCrash = false;
    this.#hanging.clear();
    this.#leftAttempts.clear();
    await this.#options.within(() => this.#inside.crash());
  }

  /** The same, asked for by a handler that executes: it cannot wait for its own end. */
  crashSoon(): void {
    this.#wantsCrash = true;
    this.#changed();
  }

  /** The attempt that this signal belongs to ends by the core's doing, or never. */
  hangs(signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#hanging.add(signal);
    signal.addEventListener("abort", () => this.#hanging.delete(signal), { once: true });
    this.#changed();
  }

  #look(): { readonly isCoreBusy: boolean; readonly isUserBusy: boolean } {
    const { executing, commands, polls, waiters } = this.session.activity();
    const attempts = executing.filter((attempt) => !this.#leftAttempts.has(attempt)).length - this.#hanging.size;
    const others = Math.max(this.#operations - waiters, 0) + polls;
    if (others < this.#leftOthers) this.#leftOthers = others;
    return { isCoreBusy: commands > 0, isUserBusy: attempts > 0 || others > this.#leftOthers };
  }

  /** Resolves when something has moved, or the patience is over. */
  async #change(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onChange.push(resolve);
    const timer = setTimeout(() => {
      const { executing, polls, waiters } = this.session.activity();
      for (const attempt of executing) this.#leftAttempts.add(attempt);
      this.#hanging.clear();
      this.#leftOthers = Math.max(this.#operations - waiters, 0) + polls;
      resolve();
    }, this.#options.patienceMs);
    await promise;
    clearTimeout(timer);
  }

  readonly #changed = (): void => {
    for (const resolve of this.#onChange.splice(0)) resolve();
  };
}
