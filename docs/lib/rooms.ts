/** The folders in which the blocks of the pages run: what a page shows is done in its own. */
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { CleanRoom } from "../../build/clean-room.ts";
import { type Packed, pack } from "../../build/pack.ts";
import { blocksOf, commandsOf, fileOf, ROOT } from "./pages.ts";

/** A folder with the files of a page. */
export interface Room {
  readonly directory: string;
  /** What its processes see; as much as this process when it is absent. */
  readonly environment: Readonly<Record<string, string>> | undefined;
}

export class Rooms implements AsyncDisposable {
  /** Inside of this checkout, so that the package's own name resolves. */
  readonly directory = join(ROOT, ".cache", `docs-${process.pid}`);
  readonly #opened = new Map<string, Promise<Room>>();
  readonly #projects: CleanRoom[] = [];
  #packed: Promise<Packed> | undefined;

  /**
   * The room of a page, made when it is first asked for. A page with commands speaks of what users have: its room is a
   * project outside of this checkout, with the packages as they are published. Others run in the checkout.
   */
  of(page: string): Promise<Room> {
    const known = this.#opened.get(page);
    if (known !== undefined) return known;
    const opened = commandsOf(page).length > 0 ? this.#project(page) : this.#inCheckout(page);
    this.#opened.set(page, opened);
    return opened;
  }

  /** Where the compiler finds the code of a page. */
  async written(page: string): Promise<string> {
    const directory = join(this.directory, page.replaceAll(/\W/g, "-"));
    await write(page, directory);
    return directory;
  }

  async #inCheckout(page: string): Promise<Room> {
    return { directory: await this.written(page), environment: undefined };
  }

  async #project(page: string): Promise<Room> {
    this.#packed ??= pack(join(this.directory, "npm"));
    const { main, platform } = await this.#packed;
    const project = await CleanRoom.open({ main, platform });
    this.#projects.push(project);
    await project.add(main.name, platform.name, "zod");
    await write(page, project.directory);
    const tools = join(project.directory, ".home", "bin");
    await mkdir(tools, { recursive: true });
    await symlink(process.execPath, join(tools, "bun"));
    const { environment } = project;
    return {
      directory: project.directory,
      environment: { ...environment, PATH: `${tools}:${environment["PATH"]}`, LC_ALL: "C" },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const project of this.#projects) await project[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function write(page: string, directory: string): Promise<void> {
  const code = blocksOf(page).filter(({ language }) => language !== "sh" && language !== "text");
  await Promise.all(code.map((block) => Bun.write(join(directory, fileOf(block)), block.text)));
}

/** Runs a command in a room to its end. */
export async function run(
  { directory, environment }: Room,
  command: readonly string[],
): Promise<{ stdout: string; stderr: string; code: number }> {
  const child = Bun.spawn([...command], {
    cwd: directory,
    env: environment ?? process.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}
