/** A running worker program. */
import { join } from "node:path";
import { ANSWER, type Answers, type Commands } from "./protocol.ts";
import { within } from "./time.ts";

const PEERS = join(import.meta.dir, "..");

/** Engines report home unless told not to. */
const QUIET = { DO_NOT_TRACK: "1", MASTRA_TELEMETRY_DISABLED: "1", NO_COLOR: "1" };

/** Longest a program may take to open its engine. */
const OPEN_MS = 60_000;

/** How much of what a program said is kept for the message when it ends unexpectedly. */
const KEPT = 4_000;

export interface Start {
  readonly engine: string;
  readonly setting: string;
  readonly directory: string;
  readonly server: string;
  /** Where slow steps leave their effects; without it steps do nothing. */
  readonly effects?: string;
}

export class Program {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #answers: ((line: string) => void)[] = [];
  /** Answers that nobody has asked for yet. */
  readonly #waiting: string[] = [];
  #said = "";
  /** Whether the engine has something to sleep with. */
  sleeps = false;

  private constructor(command: string[], directory: string) {
    this.#process = Bun.spawn(command, {
      cwd: directory,
      env: { ...process.env, ...QUIET },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#listen(this.#process.stdout);
    void this.#listen(this.#process.stderr);
  }

  /** Resolves when the engine is open. */
  static async start(options: Start): Promise<Program> {
    const { engine, setting, directory, server, effects = "" } = options;
    const command = [process.execPath, join(PEERS, "worker.ts"), engine, setting, directory, server, effects];
    const program = new Program(command, directory);
    try {
      const { sleeps } = (await program.#answer(OPEN_MS)) as { sleeps: boolean };
      program.sleeps = sleeps;
    } catch (error) {
      await program.kill();
      throw error;
    }
    return program;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Throws what the program threw, or when it ended or took far too long. */
  async ask<Command extends keyof Commands>(
    command: Command,
    options: Commands[Command],
    milliseconds = 120_000,
  ): Promise<Answers[Command]> {
    this.#process.stdin.write(`${JSON.stringify({ command, options })}\n`);
    this.#process.stdin.flush();
    return (await this.#answer(milliseconds)) as Answers[Command];
  }

  /** Ends it in an orderly way; by force when that takes too long. */
  async stop(): Promise<void> {
    this.#process.stdin.end();
    if (!(await within(5_000, this.#process.exited))) await this.kill();
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async #answer(milliseconds: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const early = this.#waiting.shift();
    if (early === undefined) this.#answers.push(resolve);
    else resolve(early);
    this.#process.exited.then((code) => reject(new Error(`the program ended with ${code}: ${this.#said}`)));
    if (!(await within(milliseconds, promise))) {
      throw new Error(`no answer within ${milliseconds / 1_000} s: ${this.#said}`);
    }
    const answer = JSON.parse(await promise) as { error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const chunk = decoder.decode(bytes, { stream: true });
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) this.#hear(line);
    }
  }

  #hear(line: string): void {
    if (!line.startsWith(ANSWER)) {
      this.#said = `${this.#said}${line}\n`.slice(-KEPT);
      return;
    }
    const answer = line.slice(ANSWER.length);
    const waiting = this.#answers.shift();
    if (waiting === undefined) this.#waiting.push(answer);
    else waiting(answer);
  }
}
