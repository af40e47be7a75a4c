/** The Restate server of npm, one node with its default configuration: its log is synced to disk. */
import { join } from "node:path";
import { firstLine, type Kind } from "./server.ts";

/** The binary itself: the launcher beside it is a JavaScript program that waits for it. */
function find(): string {
  const name = `restate-server-${process.platform}-${process.arch}`;
  return join(import.meta.dir, "..", "node_modules", "@restatedev", name, "bin", "restate-server");
}

export const restate: Kind = {
  // The fourth is the program's: runs that are under way are bound to the address of their handlers.
  ports: 4,
  version: () => firstLine([find(), "--version"]),
  command: (directory) => [find(), "--no-logo", "--base-dir", directory, "--node-name", "bench"],
  env: (_directory, [ingress, admin, node]) => ({
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_DISABLE_TELEMETRY: "true",
    RESTATE_LOG_FILTER: "warn",
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
  }),
  address: ([ingress, admin, , handlers]) => `http://127.0.0.1:${ingress} http://127.0.0.1:${admin} ${handlers}`,
  isReady: async ([ingress, admin]) =>
    (await isHealthy(ingress, "/restate/health")) && (await isHealthy(admin, "/health")),
};

async function isHealthy(port: number | undefined, path: string): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).ok;
  } catch {
    return false; // Not listening yet: asked again.
  }
}
