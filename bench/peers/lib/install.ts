/** The packages of the engines, exactly those of the lock file. No package needs its lifecycle scripts. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PEERS = join(import.meta.dir, "..");

export function installPackages(): void {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile", "--ignore-scripts"], {
    cwd: PEERS,
  });
  if (exitCode !== 0) throw new Error(`the engines could not be installed: ${stderr}`);
}

/** The version that is installed. */
export function versionOf(name: string): string {
  const file = join(PEERS, "node_modules", name, "package.json");
  if (!existsSync(file)) throw new Error(`${name} is not installed`);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
