/** PostgreSQL of Debian's packages, with the configuration that `initdb` writes: fsync and synchronous_commit are on. */
import { join } from "node:path";
import { program } from "../../../services/lib/debian.testing.ts";
import { as, firstLine, type Kind } from "./server.ts";

/** Where Debian puts what is not in the PATH. */
const PLACES = ["usr/lib/postgresql/*/bin"];
/** Its server refuses to be root. */
const USER = "postgres";

const find = (name: string): string => program(name, "postgresql", PLACES);

export const postgres: Kind = {
  user: USER,
  ports: 1,
  version: () => firstLine([find("postgres"), "--version"]),
  prepare: async (directory) => {
    const command = [find("initdb"), "--pgdata", join(directory, "data"), "--username", "bench", "--auth", "trust"];
    const made = Bun.spawn([...as(USER), ...command], { cwd: directory, stdout: "ignore", stderr: "pipe" });
    if ((await made.exited) !== 0) throw new Error(`initdb failed: ${await made.stderr.text()}`);
  },
  command: (directory, [port]) => {
    const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", port: `${port}` };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    return [find("postgres"), "-D", join(directory, "data"), ...options];
  },
  address: ([port]) => `postgres://bench@127.0.0.1:${port}/postgres`,
  isReady: async ([port]) => {
    const { exitCode } = Bun.spawnSync([find("pg_isready"), "--host", "127.0.0.1", "--port", `${port}`, "--quiet"]);
    return exitCode === 0;
  },
};
