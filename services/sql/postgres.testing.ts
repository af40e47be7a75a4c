/** A PostgreSQL of its own, of Debian's packages, in a directory that is gone afterwards. */
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "../lib/debian.testing.ts";

type Server = Bun.Subprocess<"ignore", "ignore", "pipe">;

/** Where Debian puts what is not in the PATH. */
const PLACES = ["usr/lib/postgresql/*/bin"];

export interface Postgres {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const [initdb, postgres] = [program("initdb", "postgresql", PLACES), program("postgres", "postgresql", PLACES)];
  const directory = mkdtempSync(join(tmpdir(), "cronflow-postgres-"));
  const user = unprivileged();
  // Its server refuses to be root.
  if (user !== undefined) chownSync(directory, user.uid, user.gid);
  const spawn = (command: string[]): Server =>
    Bun.spawn([...as(user), ...command], { cwd: "/", stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const data = `${directory}/data`;
  const made = spawn([initdb, "--pgdata", data, "--username", "cronflow", "--auth", "trust", "--no-sync"]);
  if ((await made.exited) !== 0) throw new Error(`initdb failed: ${await made.stderr.text()}`);
  const port = freePort();
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off", port: String(port) };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = spawn([postgres, "-D", data, ...options]);
  await until(server.stderr, "ready to accept connections");
  const stop = async (): Promise<void> => {
    // Ends connections that are left.
    server.kill("SIGINT");
    await server.exited;
    rmSync(directory, { recursive: true });
  };
  return { url: `postgres://cronflow@127.0.0.1:${port}/postgres`, stop };
}

/** Reads on, also afterwards: a server that cannot write its log stands still. */
async function until(log: Server["stderr"], wanted: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    let seen = "";
    for await (const chunk of log.pipeThrough(new TextDecoderStream())) {
      if (seen.includes(wanted)) continue;
      seen += chunk;
      if (seen.includes(wanted)) resolve();
    }
    reject(new Error(`PostgreSQL ended before it was ready: ${seen}`));
  };
  read().catch(reject);
  return promise;
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Whom a server runs as when we are root. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const ids = (flag: string): number => Number(Bun.spawnSync(["id", flag, "postgres"]).stdout.toString());
  return { name: "postgres", uid: ids("-u"), gid: ids("-g") };
}

function as(user: User | undefined): string[] {
  if (user === undefined) return [];
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
}

/** A port that was free a moment ago. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
