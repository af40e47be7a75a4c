/** How long a server takes from being spawned to its first answer. */

/** Milliseconds from spawning a command, which is given the port, to its first 2xx at `POST /hook`; then it is killed. */
export async function firstAnswer(command: readonly string[], port: number, options: Options = {}): Promise<number> {
  const began = performance.now();
  const child = Bun.spawn([...command], { ...options, stdout: "ignore", stderr: "inherit" });
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/hook`, {
        method: "POST",
        headers: { "content-type": "application/json", connection: "close" },
        body: "{}",
      });
      if (!response.ok) throw new Error(`answered ${response.status}`);
      break;
    } catch (error) {
      // Nobody listens yet; ask again at once.
      if (!/REFUSED/i.test((error as { code?: string }).code ?? "")) throw error;
      if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended before it answered`);
      await Bun.sleep(0);
    }
  }
  const took = performance.now() - began;
  child.kill("SIGKILL");
  await child.exited;
  return took;
}

interface Options {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = server;
  await server.stop(true);
  return port as number;
}
