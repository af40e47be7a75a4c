/** A started service, as its operator sees it: its address, what it prints, its end. */
type Process = Bun.Subprocess<"ignore", "pipe", "pipe">;
type Output = AsyncIterator<string>;

export interface Surroundings {
  readonly cwd: string;
  readonly environment?: Readonly<Record<string, string>>;
}

export class Running implements AsyncDisposable {
  readonly #output: Output;
  #printed = "";

  private constructor(
    readonly process: Process,
    readonly url: string,
    output: Output,
  ) {
    this.#output = output;
  }

  /** Starts a command, and resolves when it has printed its address. Throws what it says when it ends before. */
  static async start(command: readonly string[], surroundings: Surroundings): Promise<Running> {
    const child = spawn(command, surroundings);
    const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    let said = "";
    for (;;) {
      const { value, done } = await output.next();
      if (done) throw new Error(`${command.join(" ")} ended: ${await child.stderr.text()}`);
      said += value;
      const [, url] = /^(http:\S+)\n/m.exec(said) ?? [];
      if (url !== undefined) return new Running(child, url, output);
    }
  }

  /** Resolves when it has printed this. */
  async prints(text: string): Promise<void> {
    while (!this.#printed.includes(text)) {
      const { value, done } = await this.#output.next();
      if (done) throw new Error(`it ended before it printed ${text}: ${await this.process.stderr.text()}`);
      this.#printed += value;
    }
  }

  /** Posts JSON. */
  async post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await fetch(new URL(path, this.url), {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
    return { status: answer.status, ...((await answer.json()) as { runId: string }) };
  }

  /** Asks it to stop, and resolves with the signal that ended it. */
  async stop(): Promise<Process["signalCode"]> {
    this.process.kill("SIGTERM");
    await this.process.exited;
    return this.process.signalCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }
}

export interface Answer {
  readonly status: number;
  readonly runId: string;
}

/** What a command says that is expected to end by itself. */
export async function ended(
  command: readonly string[],
  surroundings: Surroundings,
): Promise<{ stdout: string; stderr: string; code: number }> {
  const child = spawn(command, surroundings);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

/** Of this process's environment it sees what every machine has. */
function spawn(command: readonly string[], { cwd, environment = {} }: Surroundings): Process {
  const env = { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...environment };
  return Bun.spawn([...command], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
}
