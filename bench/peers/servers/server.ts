/** A server that an engine needs: started in a directory of its own, killed, started again on what it has written. */
import { chownSync, mkdirSync } from "node:fs";
import { family } from "../lib/processes.ts";

/** How a kind of server is started. */
export interface Kind {
  /** Its name and version, as the program itself says it. */
  version(): string;
  /** Makes what it needs before its first start. */
  prepare?(directory: string): Promise<void>;
  command(directory: string, ports: readonly number[], setting: string): string[];
  readonly env?: (directory: string, ports: readonly number[]) => Record<string, string>;
  /** Debian's user for it, when it refuses to be root. */
  readonly user?: string;
  readonly ports: number;
  /** What an engine is given to find it. */
  address(ports: readonly number[]): string;
  isReady(ports: readonly number[]): Promise<boolean>;
}

const READY_MS = 60_000;
const KEPT = 4_000;

export class Server {
  readonly address: string;
  readonly #kind: Kind;
  readonly #directory: string;
  readonly #setting: string;
  readonly #ports: readonly number[];
  #process: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  #said = "";

  private constructor(kind: Kind, directory: string, setting: string) {
    this.#kind = kind;
    this.#directory = directory;
    this.#setting = setting;
    this.#ports = freePorts(kind.ports);
    this.address = kind.address(this.#ports);
  }

  /** A new one; ready when this resolves. */
  static async start(kind: Kind, directory: string, setting: string): Promise<Server> {
    mkdirSync(directory);
    const user = unprivileged(kind.user);
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
    await kind.prepare?.(directory);
    const server = new Server(kind, directory, setting);
    await server.restart();
    return server;
  }

  /** Starts it, on what it has written before. */
  async restart(): Promise<void> {
    const command = this.#kind.command(this.#directory, this.#ports, this.#setting);
    this.#process = Bun.spawn([...as(this.#kind.user), ...command], {
      cwd: this.#directory,
      env: { ...process.env, DO_NOT_TRACK: "1", ...this.#kind.env?.(this.#directory, this.#ports) },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#listen(this.#process.stdout);
    void this.#listen(this.#process.stderr);
    const deadline = performance.now() + READY_MS;
    while (!(await this.#kind.isReady(this.#ports))) {
      if (this.#process.exitCode !== null || performance.now() > deadline) {
        throw new Error(`${this.#kind.version()} did not get ready: ${this.#said}`);
      }
      await Bun.sleep(20);
    }
  }

  /** It and the processes it has started. */
  get pids(): number[] {
    return this.#process === undefined ? [] : family(this.#process.pid);
  }

  /** All of its processes at once, without a chance to write anything. */
  async kill(): Promise<void> {
    // The first is the parent: without it, others may be gone before their turn.
    for (const pid of this.pids) killNow(pid);
    await this.#process?.exited;
  }

  /** Reads on: a server that cannot write its log stands still. */
  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const chunk = decoder.decode(bytes, { stream: true });
      this.#said = (this.#said + chunk).slice(-KEPT);
    }
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Whom a server runs as when we are root; undefined when we are not, or it does not mind. */
function unprivileged(name: string | undefined): User | undefined {
  if (name === undefined || process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(Bun.spawnSync(["id", flag, name]).stdout.toString());
  return { uid: id("-u"), gid: id("-g") };
}

/** The words before a command that make it run as that user. */
export function as(name: string | undefined): string[] {
  const user = unprivileged(name);
  if (user === undefined) return [];
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
}

/** Ports that were free a moment ago. */
function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } }),
  );
  const ports = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}

/** The first line that a program prints. */
export function firstLine(command: string[]): string {
  return Bun.spawnSync(command).stdout.toString().split("\n", 1)[0] as string;
}
