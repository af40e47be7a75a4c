/** Redis of Debian's packages: with what it does when nothing is configured, or with every write on disk. */
import { program } from "../../../services/lib/debian.testing.ts";
import { firstLine, type Kind } from "./server.ts";

const find = (name: string): string => program(name, "redis-server");

const DURABLE = ["--appendonly", "yes", "--appendfsync", "always"];

export const redis: Kind = {
  ports: 1,
  version: () => firstLine([find("redis-server"), "--version"]).split(" sha=", 1)[0] as string,
  command: (directory, [port], setting) => [
    find("redis-server"),
    ...["--bind", "127.0.0.1", "--port", `${port}`, "--dir", directory, "--maxmemory-policy", "noeviction"],
    ...(setting === "durable" ? DURABLE : []),
  ],
  address: ([port]) => `redis://127.0.0.1:${port}`,
  // After a crash it answers before it has loaded its data, but not with PONG.
  isReady: async ([port]) => firstLine([program("redis-cli", "redis-tools"), "-p", `${port}`, "ping"]) === "PONG",
};
