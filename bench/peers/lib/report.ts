/** The tables, and what is needed to repeat them. */
import { cpus, release, totalmem } from "node:os";
import { round, table } from "../../lib/table.ts";
import type { Peer, Setting } from "../peers.ts";
import { SERVERS } from "../servers/index.ts";
import { versionOf } from "./install.ts";
import {
  CONNECTIONS,
  type Crash,
  IN_FLIGHT,
  type Measured,
  RECOVERY_MS,
  type Result,
  type Sleepers,
} from "./measure.ts";

const KIBIBYTE = 1_024;

export function report(measured: readonly Measured[]): string {
  const errors = new Errors();
  return [
    speed(measured, errors),
    "",
    endurance(measured, errors),
    "",
    ...errors.lines(),
    ...measured.map(({ peer, setting }) => promise(peer, setting)),
    "",
    ...[...new Set(measured.map(({ peer }) => peer))].map(versions),
    `- Machine: ${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / KIBIBYTE ** 3)} GiB, Linux ${release().split("-", 1)[0]}, Bun ${Bun.version}`,
  ].join("\n");
}

/** How durable a setting is, and why. */
function promise(peer: Peer, { title, survivesKill, survivesPowerCut, because }: Setting): string {
  const survives = survivesPowerCut
    ? "a power cut"
    : survivesKill
      ? "a kill, not a power cut"
      : "neither a power cut nor a kill";
  return `- ${peer.title}, ${title}: an acknowledged run survives ${survives}. ${because}.`;
}

function versions(peer: Peer): string {
  const packages = peer.packages.map((name) => `${name} ${versionOf(name)}`);
  const server = peer.server === undefined ? [] : [SERVERS[peer.server].version()];
  const versions = [...packages, ...server];
  const sleep = peer.sleep === undefined ? "" : ` Sleepers: ${peer.sleep}.`;
  return `- ${[peer.title, ...versions].join(", ")}: ${peer.notes}.${sleep}`;
}

/** Runs of three steps, and webhooks. */
function speed(measured: readonly Measured[], errors: Errors): string {
  const header = [
    "engine",
    "setting",
    "survives a power cut",
    `syncs per run at ${IN_FLIGHT.slice(0, 2).join(" / ")}`,
    ...IN_FLIGHT.flatMap((inFlight) => [`runs/s at ${inFlight}`, `p50 / p99 ms at ${inFlight}`]),
    `webhooks/s, ${CONNECTIONS} connections`,
    "p50 ms",
  ];
  const rows = measured.map((one) => [
    one.peer.title,
    one.setting.title,
    survival(one),
    (one.syncs ?? []).map((result) => errors.cell(result, (syncs) => round(syncs, 2))).join(" / ") || "-",
    ...one.runs.flatMap((result) => [
      errors.cell(result, ({ runs, seconds }) => round(runs / seconds)),
      errors.cell(result, ({ p50Ms, p99Ms, unfinished }) => {
        const latencies = `${round(p50Ms)} / ${round(p99Ms)}`;
        return unfinished === 0 ? latencies : `${latencies}; ${unfinished} unfinished`;
      }),
    ]),
    errors.cell(one.webhook, ({ perSecond }) => round(perSecond)),
    errors.cell(one.webhook, ({ p50Ms }) => round(p50Ms)),
  ]);
  return table(header, rows);
}

/** What a setting promises; with what was seen, where that cannot be true: nothing is on disk that was not synced. */
function survival({ setting, syncs }: Measured): string {
  if (!setting.survivesPowerCut) return "no";
  const alone = syncs?.[0];
  const isSeen = alone === undefined || "error" in alone || alone.value >= 1;
  return isSeen ? "yes" : "promised, but it does not sync";
}

/** Sleepers and crashes. */
function endurance(measured: readonly Measured[], errors: Errors): string {
  const header = [
    "engine",
    "setting",
    "sleepers asleep",
    "s to start",
    "KiB of memory each",
    "KiB of disk each",
    "acknowledged before the kill",
    "lost",
    `failed, or open after ${RECOVERY_MS / 1_000} s`,
    "steps missing",
    "steps twice",
    "s until all have ended",
  ];
  const each = (sleepers: Sleepers, bytes: number): number =>
    round(bytes / KIBIBYTE / Math.max(1, sleepers.acknowledged), 2);
  const asleepOf = ({ asleep, acknowledged }: Sleepers): string | number =>
    asleep >= acknowledged
      ? acknowledged
      : `${asleep.toLocaleString("en-US")} of ${acknowledged.toLocaleString("en-US")}`;
  const settled = ({ open, seconds }: Crash): string | number => (open === 0 ? round(seconds) : "-");
  const rows = measured.map(({ peer, setting, sleepers, crash }) => [
    peer.title,
    setting.title,
    errors.cell(sleepers, asleepOf),
    errors.cell(sleepers, ({ seconds }) => round(seconds)),
    errors.cell(sleepers, (found) => each(found, found.memoryBytes)),
    errors.cell(sleepers, (found) => each(found, found.diskBytes)),
    errors.cell(crash, ({ acknowledged }) => acknowledged),
    errors.cell(crash, ({ lost }) => lost),
    errors.cell(crash, ({ failed, open }) => failed + open),
    errors.cell(crash, ({ incomplete }) => incomplete),
    errors.cell(crash, ({ twice }) => twice),
    errors.cell(crash, settled),
  ]);
  return table(header, rows);
}

/** Footnotes for what could not be measured. */
class Errors {
  readonly #seen: string[] = [];

  cell<T>(result: Result<T> | undefined, show: (value: T) => string | number): string | number {
    if (result === undefined) return "-";
    if ("value" in result) return show(result.value);
    if (!this.#seen.includes(result.error)) this.#seen.push(result.error);
    return `[${this.#seen.indexOf(result.error) + 1}]`;
  }

  lines(): string[] {
    return this.#seen.map((error, at) => `[${at + 1}] ${error}`);
  }
}
