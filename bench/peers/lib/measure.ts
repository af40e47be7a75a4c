/** Measures one setting of one engine: each piece of work in a fresh directory, with a server of its own. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Peer, Setting } from "../peers.ts";
import { SERVERS } from "../servers/index.ts";
import { Server } from "../servers/server.ts";
import { disk, family, memory } from "./processes.ts";
import { Program } from "./program.ts";
import type { Answers } from "./protocol.ts";
import { countSyncs } from "./syncs.ts";
import { pairs, STEPS } from "./work/crash.ts";

export const IN_FLIGHT = [1, 64, 1_000] as const;
export const CONNECTIONS = 16;
/** How long runs are started, for each number in flight. */
const RUNS_MS = Number(process.env["PEERS_MILLISECONDS"] ?? 2_500);
const WEBHOOK_MS = RUNS_MS;
const SLEEPERS = Number(process.env["PEERS_SLEEPERS"] ?? 10_000);
const SLEEPERS_MS = 20_000;
/** Runs in the middle when everything is killed, and runs that have just been acknowledged. */
const CRASHED = { runs: 200, late: 50 };
const CRASH_MS = 15_000;
/** Longest that is waited for an engine to bring all runs to their end after a crash. */
export const RECOVERY_MS = 90_000;
/** Enough to know the syncs per run; `strace` makes each of them slow. */
const COUNTED = { runs: 200, milliseconds: 2_000 };

export interface Webhook {
  readonly perSecond: number;
  readonly p50Ms: number;
}

export interface Sleepers {
  readonly acknowledged: number;
  readonly asleep: number;
  readonly seconds: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export interface Crash {
  readonly acknowledged: number;
  /** Acknowledged, and unknown afterwards. */
  readonly lost: number;
  readonly failed: number;
  /** Not ended when the patience was over. */
  readonly open: number;
  /** Said to have ended, and a step was never executed. */
  readonly incomplete: number;
  /** Steps whose effect is there twice. */
  readonly twice: number;
  /** From the start of the programs until the last run had ended. */
  readonly seconds: number;
}

/** What could not be measured says why. */
export type Result<T> = { readonly value: T } | { readonly error: string };

export interface Measured {
  readonly peer: Peer;
  readonly setting: Setting;
  readonly runs: readonly Result<Answers["runs"]>[];
  /** Per run, for each number in flight but the largest; undefined where nothing can count them. */
  readonly syncs: readonly Result<number>[] | undefined;
  readonly webhook: Result<Webhook>;
  readonly sleepers: Result<Sleepers> | undefined;
  readonly crash: Result<Crash>;
}

export interface Options {
  readonly peer: Peer;
  readonly setting: Setting;
  readonly countsSyncs: boolean;
  say(what: string): void;
}

export async function measure({ peer, setting, countsSyncs, say }: Options): Promise<Measured> {
  const runs: Result<Answers["runs"]>[] = [];
  const syncs: Result<number>[] = [];
  let webhook: Result<Webhook> = { error: "the engine did not open" };
  const opened = await attempt(() =>
    inPlace(peer, setting, async (place) => {
      const program = await place.start();
      await program.ask("runs", { inFlight: 16, milliseconds: 500, most: 200 });
      for (const inFlight of IN_FLIGHT) {
        say(`${inFlight} in flight`);
        runs.push(await attempt(() => program.ask("runs", { inFlight, milliseconds: RUNS_MS })));
      }
      if (countsSyncs) {
        for (const inFlight of IN_FLIGHT.slice(0, 2)) {
          say(`syncs, ${inFlight} in flight`);
          syncs.push(await attempt(() => syncsPerRun(place, program, inFlight)));
        }
      }
      say("webhooks");
      webhook = await attempt(() => webhooks(program));
      await program.stop();
    }),
  );
  if ("error" in opened) for (const _ of IN_FLIGHT.slice(runs.length)) runs.push(opened);
  say("sleepers");
  const sleeping = await attempt(() => inPlace(peer, setting, sleepers));
  say("a crash");
  const crash = await attempt(() => inPlace(peer, setting, crashes));
  return {
    peer,
    setting,
    runs,
    syncs: countsSyncs ? syncs : undefined,
    webhook,
    sleepers: "value" in sleeping && sleeping.value === undefined ? undefined : (sleeping as Result<Sleepers>),
    crash,
  };
}

/** A directory, and the server that the engine needs, on which programs are started. */
class Place {
  readonly server: Server | undefined;
  readonly directory: string;
  readonly #peer: Peer;
  readonly #setting: Setting;
  readonly #programs: Program[] = [];

  constructor(directory: string, peer: Peer, setting: Setting, server: Server | undefined) {
    this.directory = directory;
    this.#peer = peer;
    this.#setting = setting;
    this.server = server;
  }

  async start(effects?: string): Promise<Program> {
    const directory = join(this.directory, "engine");
    if (!existsSync(directory)) mkdirSync(directory);
    const program = await Program.start({
      engine: this.#peer.name,
      setting: this.#setting.name,
      directory,
      server: this.server?.address ?? "",
      ...(effects === undefined ? {} : { effects }),
    });
    this.#programs.push(program);
    return program;
  }

  pids(program: Program): number[] {
    return [...family(program.pid), ...(this.server?.pids ?? [])];
  }

  async close(): Promise<void> {
    for (const program of this.#programs) await program.kill();
    await this.server?.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function inPlace<T>(peer: Peer, setting: Setting, work: (place: Place) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(process.env["BENCH_DIRECTORY"] ?? tmpdir(), "cronflow-peers-"));
  // The user of a server has to get to its directory below.
  chmodSync(directory, 0o711);
  const server =
    peer.server === undefined
      ? undefined
      : await Server.start(SERVERS[peer.server], join(directory, "server"), setting.name);
  const place = new Place(directory, peer, setting, server);
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

async function syncsPerRun(place: Place, program: Program, inFlight: number): Promise<number> {
  const { syncs, done } = await countSyncs(place.pids(program), () =>
    program.ask("runs", { inFlight, milliseconds: COUNTED.milliseconds, most: COUNTED.runs }),
  );
  return syncs / done.runs;
}

async function webhooks(program: Program): Promise<Webhook> {
  const { port } = await program.ask("webhook", {});
  const load = join(import.meta.dir, "..", "..", "lib", "http-load.ts");
  const client = Bun.spawn([process.execPath, load, `${port}`, `${CONNECTIONS}`, `${WEBHOOK_MS}`], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [answer, trouble] = await Promise.all([client.stdout.text(), client.stderr.text()]);
  if ((await client.exited) !== 0) throw new Error(trouble);
  return JSON.parse(answer) as Webhook;
}

/** Undefined when the engine has nothing to sleep with. */
async function sleepers(place: Place): Promise<Sleepers | undefined> {
  const program = await place.start();
  if (!program.sleeps) return undefined;
  const weigh = async (): Promise<{ memoryBytes: number; diskBytes: number }> => {
    await program.ask("collect", {});
    return { memoryBytes: memory(place.pids(program)), diskBytes: disk(place.directory) };
  };
  const before = await weigh();
  const { acknowledged, asleep, seconds } = await program.ask("sleepers", {
    count: SLEEPERS,
    milliseconds: SLEEPERS_MS,
  });
  // What is written in the background is on its way.
  await Bun.sleep(1_500);
  const after = await weigh();
  return {
    acknowledged,
    asleep,
    seconds,
    memoryBytes: after.memoryBytes - before.memoryBytes,
    diskBytes: after.diskBytes - before.diskBytes,
  };
}

/** Kills everything in the middle of runs, starts everything again, and counts. */
async function crashes(place: Place): Promise<Crash> {
  const effects = join(place.directory, "effects");
  const acknowledgements = join(place.directory, "acknowledgements");
  const victim = await place.start(effects);
  await victim.ask("crash", { ...CRASHED, acknowledgements, milliseconds: CRASH_MS });
  await Promise.all([victim.kill(), place.server?.kill()]);

  const began = performance.now();
  await place.server?.restart();
  const survivor = await place.start(effects);
  const runOf = new Map(pairs(acknowledgements).map(([run, id]) => [id, run]));
  const patience = RECOVERY_MS + 30_000;
  const found = await survivor.ask("outcome", { ids: [...runOf.keys()], milliseconds: RECOVERY_MS }, patience);
  const seconds = (performance.now() - began) / 1_000;

  const times = new Map<string, number>();
  for (const [run, step] of pairs(effects)) {
    const key = `${run} ${step}`;
    times.set(key, (times.get(key) ?? 0) + 1);
  }
  const isComplete = (id: string): boolean =>
    Array.from({ length: STEPS }, (_, step) => `${runOf.get(id)} ${step + 1}`).every((key) => times.has(key));
  return {
    acknowledged: runOf.size,
    lost: found.unknown.length,
    failed: found.failed.length,
    open: found.open.length,
    incomplete: found.ended.filter((id) => !isComplete(id)).length,
    twice: [...times.values()].filter((count) => count > 1).length,
    seconds,
  };
}

async function attempt<T>(work: () => Promise<T>): Promise<Result<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
