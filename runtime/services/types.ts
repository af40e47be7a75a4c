/** What a service is made of. Most of it is for the compiler. */
import type { Cronflow } from "../app.ts";
import type { Logger } from "../log.ts";
import type { Recorded } from "../recorded.ts";
import type { InputOf, OutputOf, Schema } from "../schema.ts";
import type { WithSecrets } from "./secrets/reference.ts";

/** Functions a handler calls by `ctx.services`. */
export type AnyActions = Readonly<Record<string, (...args: never[]) => unknown>>;

/**
 * Starts a run of the workflow that listens, and gives its id after the commit. With an `id`, the same message emitted
 * again finds the run it has started. Rejects when the engine could not take it: emit it again later.
 */
export type Emit<Payload> = (
  payload: Payload,
  options?: {
    /** Names the message. Default: each one that is emitted starts a run. */
    readonly id?: string;
  },
) => Promise<string>;

/** What a trigger is told besides. */
export interface TriggerContext {
  /** Aborted when the engine stops: nothing that is emitted then is taken. */
  readonly signal: AbortSignal;
  /** The engine's log. */
  readonly log: Logger;
}

/** What ends a trigger: a function that is called when the engine stops, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a trigger without `return` gives
export type Listening = void | (() => unknown);

/** Functions that listen for as long as the engine runs. */
export type AnyTriggers = Readonly<
  Record<string, (emit: Emit<unknown>, options: never, context: TriggerContext) => Listening | PromiseLike<Listening>>
>;
/** No triggers. */
export type NoTriggers = Readonly<Record<never, never>>;

/** What a service's `setup` gives. */
export interface ServiceParts<Actions, Triggers> {
  /** Called by handlers as `ctx.services.name.action(…)`. */
  readonly actions?: Actions;
  /** Start runs: `workflow.onService(service, "name", options)`. */
  readonly triggers?: Triggers;
  /** Called after `setup`, before the first run moves. The engine's start waits for it. */
  start?(): unknown;
  /** Called after the last handler, also when `start` has failed. */
  stop?(): unknown;
  /** Throws when the service cannot work now; asked by the management API. */
  health?(): unknown;
}

/** The engine, as services see it. Its verbs work once it has started: in actions and triggers, not in `setup`. */
export type ServiceEngine = Pick<Cronflow, "trigger" | "execute" | "publishEvent" | "resume">;

/** What `setup` is given. */
export interface ServiceSetup<Config, Auth> {
  /** What the schema made of `config`, secrets in place. */
  readonly config: ConfigOf<Config>;
  /** What the schema made of `auth`, secrets in place. */
  readonly auth: ConfigOf<Auth>;
  /** Starts runs, publishes events, answers requests for approval: once it has started. */
  readonly engine: ServiceEngine;
  /** The engine's log. */
  readonly log: Logger;
  /** Aborted when the service is stopped. */
  readonly signal: AbortSignal;
}

type ConfigOf<S> = S extends Schema ? OutputOf<S> : undefined;

/** What a service is defined by. */
export interface ServiceOptions<Id extends string, Actions, Triggers, Config, Auth> {
  /** Its name in `ctx.services`, unless it is configured `as` another. */
  readonly id: Id;
  /** What people call it. Default: none. */
  readonly name?: string;
  /** Which version it is, for people. Default: none. */
  readonly version?: string;
  /** Check what it is configured with: any Standard Schema that answers at once. */
  readonly schema?: {
    /** Of what may be seen. Default: it takes none. */
    readonly config?: Config;
    /** Of what may not: tokens, passwords. Default: it takes none. */
    readonly auth?: Auth;
  };
  /** Called once for each configuration at each start of the engine. */
  readonly setup: (
    given: ServiceSetup<Config, Auth>,
  ) => ServiceParts<Actions, Triggers> | Promise<ServiceParts<Actions, Triggers>>;
}

type Part<Name extends "config" | "auth", S> = S extends Schema
  ? // biome-ignore lint/complexity/noBannedTypes: asks whether every field may be left out
    {} extends InputOf<S>
    ? { readonly [K in Name]?: WithSecrets<InputOf<S>> }
    : { readonly [K in Name]: WithSecrets<InputOf<S>> }
  : { readonly [K in Name]?: undefined };

/** What a service is configured with. */
export type Configuration<Config, Auth, Key> = Part<"config", Config> &
  Part<"auth", Auth> & {
    /** Its name in `ctx.services`. Default: the service's id. */
    readonly as?: Key;
  };

/** A service that can be configured. */
export interface ServiceType<Id extends string, Actions, Triggers, Config, Auth> {
  /** What it was defined with. */
  readonly id: Id;
  /** What people call it, if it was said. */
  readonly name: string | undefined;
  /** Which version it is, if it was said. */
  readonly version: string | undefined;
  /**
   * Checks the configuration, and throws a `ServiceConfigError` that says all that is wrong with it. Secrets are not read
   * here: the start of an engine reads them, and throws the same error for what is wrong with them.
   */
  // The name is inferred from what is given, never from where the service is put.
  withConfig<const Key extends string = Id>(
    // biome-ignore lint/complexity/noBannedTypes: asks whether every field may be left out
    ...given: {} extends Configuration<Config, Auth, Key>
      ? [configuration?: Configuration<Config, Auth, Key>]
      : [configuration: Configuration<Config, Auth, Key>]
  ): Service<NoInfer<Key>, Actions, Triggers>;
}

/** A configured service: give it to `define({ services })`, `createCronflow({ services })` or `start({ services })`. */
export interface Service<Key extends string, Actions, Triggers> {
  /** Its name in `ctx.services`. */
  readonly key: Key;
  /** The id of what was configured. */
  readonly id: string;
  /** Which version it is, if it was said. */
  readonly version: string | undefined;
  /** For the compiler only: what its `setup` gives. */
  readonly types: { readonly actions: Actions; readonly triggers: Triggers };
}

/** Any service. */
export type AnyService = Service<string, unknown, unknown>;
/** The actions of a service. */
export type ActionsOf<S extends AnyService> = S["types"]["actions"];

/** What `ctx.services` has of a list of services. */
export type ServicesOf<S extends readonly AnyService[]> = { readonly [One in S[number] as One["key"]]: ActionsOf<One> };

/** What a trigger emits, as it is read again. */
export type Emitted<Trigger> = Trigger extends (emit: Emit<infer Payload>, ...rest: never[]) => unknown
  ? Recorded<Payload>
  : never;
/** The options of a trigger, which may be left out if it takes none. */
export type TriggerOptionsOf<Trigger> = Trigger extends (
  emit: never,
  options: infer Options,
  ...rest: never[]
) => unknown
  ? unknown extends Options
    ? []
    : undefined extends Options
      ? [options?: Options]
      : [options: Options]
  : [];
