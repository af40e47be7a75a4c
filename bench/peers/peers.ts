/** The engines, their settings, and what each setting promises. */
import type { ServerName } from "./servers/index.ts";

export interface Setting {
  /** What the engine's file and its server's know it by. */
  readonly name: string;
  readonly title: string;
  /** Whether a run that was acknowledged survives the death of its process, and of the server's. */
  readonly survivesKill: boolean;
  /** Whether it survives a power cut. */
  readonly survivesPowerCut: boolean;
  /** Why, in a sentence. */
  readonly because: string;
}

export interface Peer {
  /** Its file in `engines/`. */
  readonly name: string;
  readonly title: string;
  /** Packages whose versions say what was measured. */
  readonly packages: readonly string[];
  readonly server?: ServerName;
  readonly settings: readonly Setting[];
  /** How its runs were set up. */
  readonly notes: string;
  /** Said of its sleep, where that is not durable, or not a sleep. */
  readonly sleep?: string;
}

export const PEERS: readonly Peer[] = [
  {
    name: "cronflow-ffi",
    title: "cronflow-ffi",
    packages: [],
    settings: [
      {
        name: "full",
        title: "default, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because:
          "SQLite in WAL mode, synchronous=FULL; acknowledged after the commit, steps of different runs share commits",
      },
      {
        name: "relaxed",
        title: 'durability: "relaxed"',
        survivesKill: true,
        survivesPowerCut: false,
        because: "SQLite in WAL mode, synchronous=NORMAL: a power cut may take the last commits",
      },
    ],
    notes: "`execute`; concurrency 1,000",
  },
  {
    name: "openworkflow",
    title: "OpenWorkflow",
    packages: ["openworkflow"],
    settings: [
      {
        name: "default",
        title: "SQLite: default, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because: "SQLite in WAL mode; it leaves `synchronous` alone, which is FULL in Bun",
      },
      {
        name: "polled",
        title: "SQLite, results polled every 5 to 10 ms",
        survivesKill: true,
        survivesPowerCut: true,
        because: "The same; its handles look for a result once a second, here the program looks itself",
      },
    ],
    notes:
      "worker of concurrency 50 (much larger ones were slower); a run whose process died is claimed again when its lease of 30 s is over",
  },
  {
    name: "bunqueue",
    title: "bunqueue workflows",
    packages: ["bunqueue"],
    settings: [
      {
        name: "default",
        title: "default: in memory",
        survivesKill: false,
        survivesPowerCut: false,
        because: "Without `dataPath` executions live in a SQLite database in memory",
      },
      {
        name: "file",
        title: "dataPath: most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because:
          "Executions are written with SQLite's FULL in Bun (the queue's own rows with NORMAL); `recover()` publishes what is open again",
      },
    ],
    notes:
      "embedded; concurrency 100; results by its `workflow:completed` event; `recover()` after a crash, as documented",
    sleep: "a `waitFor` with a time-out, which fails the run when it is over: there is no sleep",
  },
  {
    name: "bullmq",
    title: "BullMQ",
    packages: ["bullmq", "ioredis"],
    server: "redis",
    settings: [
      {
        name: "default",
        title: "Redis: default",
        survivesKill: false,
        survivesPowerCut: false,
        because: "Redis writes a snapshot at most once a minute: what came later is gone with the server",
      },
      {
        name: "durable",
        title: "Redis: appendfsync always, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because: "Every write is in the append-only file and synced before it is answered",
      },
    ],
    notes:
      'one job per run, the pattern "Process Step Jobs"; worker of concurrency 100; `waitUntilFinished`; jobs of a dead worker are found stalled after 30 to 60 s',
    sleep: "the job moves itself to the delayed ones",
  },
  {
    name: "dbos",
    title: "DBOS",
    packages: ["@dbos-inc/dbos-sdk"],
    server: "postgres",
    settings: [
      {
        name: "default",
        title: "PostgreSQL: default, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because: "PostgreSQL with fsync and synchronous_commit, as `initdb` leaves them",
      },
    ],
    notes: "`startWorkflow` without a queue; pool of 20 connections; recovered by `launch`",
  },
  {
    name: "restate",
    title: "Restate",
    packages: ["@restatedev/restate-server", "@restatedev/restate-sdk", "@restatedev/restate-sdk-clients"],
    server: "restate",
    settings: [
      {
        name: "default",
        title: "default, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because: "Its log is RocksDB with a synced write-ahead log (`rocksdb-disable-wal-fsync` is false)",
      },
    ],
    notes: "a service with three `ctx.run`; handlers over HTTP/2; called through the ingress",
  },
  {
    name: "mastra",
    title: "Mastra",
    packages: ["@mastra/core", "@mastra/libsql"],
    settings: [
      {
        name: "default",
        title: "LibSQL store: default, most durable",
        survivesKill: false,
        survivesPowerCut: false,
        because:
          "What a run has recorded is synced, but `startAsync` answers before the run's input is stored: killed then, it stays `pending` for ever",
      },
    ],
    notes:
      "default engine, all runs at once; `restartAllActiveWorkflowRuns()` after a crash, as documented: one run after the other",
    sleep: "a timer of the process, which begins anew after a restart",
  },
  {
    name: "effect",
    title: "Effect workflow",
    packages: ["effect", "@effect/sql-pg"],
    server: "postgres",
    settings: [
      {
        name: "default",
        title: "cluster, PostgreSQL: default, most durable",
        survivesKill: true,
        survivesPowerCut: true,
        because: "Messages and replies are committed to PostgreSQL, with fsync and synchronous_commit",
      },
    ],
    notes: "single runner; pool of 20 connections",
  },
];
