/** A user's project: an empty folder outside of this checkout, in which the packages are installed as from npm. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Packed } from "./pack.ts";
import { type Registry, serveRegistry } from "./registry.ts";

/** What a process needs on Windows to run at all, to find programs, and to have a temporary folder. */
const OF_WINDOWS = ["SystemRoot", "TEMP", "TMP", "PATHEXT", "USERPROFILE"];

export interface CleanRoomOptions {
  /** How Bun lays out node_modules. Default `hoisted`. */
  readonly linker?: "hoisted" | "isolated";
}

/** What a command printed, and its exit code. */
export interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export class CleanRoom implements AsyncDisposable {
  private constructor(
    /** The project's folder. */
    readonly directory: string,
    readonly registry: Registry,
    /** What its processes see: of this process only what every machine has. */
    readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** An empty project with nothing but a package.json. Dispose of it at the end. */
  static async open(packages: Packed, { linker = "hoisted" }: CleanRoomOptions = {}): Promise<CleanRoom> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), "cronflow-project-")));
    const registry = await serveRegistry(packages);
    const home = join(directory, ".home");
    const environment = {
      ...ofWindows(),
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      BUN_INSTALL_CACHE_DIR: join(home, "cache"),
      NO_COLOR: "1",
    };
    await Bun.write(join(directory, "package.json"), '{ "name": "project", "private": true, "type": "module" }\n');
    await Bun.write(join(directory, "bunfig.toml"), `[install]\nregistry = "${registry.url}"\nlinker = "${linker}"\n`);
    return new CleanRoom(directory, registry, environment);
  }

  /** Writes a file of the project. */
  async write(name: string, text: string): Promise<void> {
    await Bun.write(join(this.directory, name), text);
  }

  /** `bun add`; throws what it says when it fails. */
  async add(...names: string[]): Promise<void> {
    const { stdout, stderr, code } = await this.run([process.execPath, "add", ...names]);
    if (code !== 0) throw new Error(`bun add ${names.join(" ")} failed:\n${stdout}${stderr}`);
  }

  /** Runs a command in the project to its end. */
  async run(command: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
    const child = this.spawn(command, environment);
    const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { stdout, stderr, code };
  }

  /** Starts a command in the project. */
  spawn(
    command: readonly string[],
    environment: Record<string, string> = {},
  ): Bun.Subprocess<"ignore", "pipe", "pipe"> {
    const env = { ...this.environment, ...environment };
    return Bun.spawn([...command], { cwd: this.directory, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function ofWindows(): Record<string, string> {
  if (process.platform !== "win32") return {};
  const found = OF_WINDOWS.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(found.filter((each): each is [string, string] => each[1] !== undefined));
}
