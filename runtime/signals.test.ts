/** Signals, against real processes: they stop every engine of the process, and end it once. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryDirectory } from "./testing/engines.ts";

const runtime = join(import.meta.dir, "index.ts");
const signals = join(import.meta.dir, "signals.ts");

interface Ended {
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: Bun.Subprocess["signalCode"];
}

/** Runs a program to its end. It is kept alive by what is not cronflow's. */
async function ended(directory: string, program: string): Promise<Ended> {
  const file = join(directory, "program.ts");
  await Bun.write(
    file,
    `import { createCronflow } from ${JSON.stringify(runtime)};
     const signal = (name: NodeJS.Signals) => process.kill(process.pid, name);
     setTimeout(() => process.exit(99), 6_000); // Keeps it alive, but not for ever.
     ${program}`,
  );
  const child = Bun.spawn([process.execPath, file], { cwd: directory, stdout: "pipe", stderr: "inherit" });
  const stdout = await child.stdout.text();
  await child.exited;
  return { lines: stdout.split("\n").filter(Boolean), code: child.exitCode, signal: child.signalCode };
}

/** Two engines: of one nothing executes, of the other a handler until it says so. */
const TWO_ENGINES = `
  const [idle, busy] = [createCronflow({ database: "idle.db" }), createCronflow({ database: "busy.db" })];
  idle.define({ id: "idle" }).onEvent("never").step("x", () => 1);
  const executes = Promise.withResolvers<void>();
  const long = busy.define({ id: "long" }).step("x", async () => {
    executes.resolve();
    await Bun.sleep(500);
    console.log("the handler is done");
  });
  await idle.start();
  await busy.start();
  await busy.trigger(long);
  await executes.promise;
`;

test("an engine that is done does not end the process under another that is not", async () => {
  const directory = temporaryDirectory();
  expect(await ended(directory, `${TWO_ENGINES} signal("SIGTERM");`)).toEqual({
    lines: ["the handler is done"],
    code: null,
    signal: "SIGTERM",
  });
  const reader = new Database(join(directory, "busy.db"), { readonly: true });
  expect(reader.query("SELECT attempt, status FROM steps").all()).toEqual([{ attempt: 1, status: "completed" }]);
  reader.close();
});

test("the same signal once more ends the process at once", async () => {
  const program = `${TWO_ENGINES} signal("SIGINT"); setTimeout(() => signal("SIGINT"), 100);`;
  expect(await ended(temporaryDirectory(), program)).toEqual({ lines: [], code: null, signal: "SIGINT" });
});

test("whoever listens for a signal, too, is called once, and the process is theirs to end", async () => {
  for (const listen of ["on", "once", "prependListener"]) {
    const program = `
      ${listen === "on" ? TWO_ENGINES : ""}
      process.${listen}("SIGTERM", () => console.log("called"));
      ${listen === "on" ? "" : TWO_ENGINES}
      signal("SIGTERM");
      while (idle.url !== undefined || (await isStarted(busy))) await Bun.sleep(10);
      await Bun.sleep(100);
      console.log("still here");
      process.exit(7);
      function isStarted(engine: typeof busy) {
        return engine.list().then(() => true, () => false);
      }
    `;
    expect({ listen, ...(await ended(temporaryDirectory(), program)) }).toEqual({
      listen,
      lines: ["called", "the handler is done", "still here"],
      code: 7,
      signal: null,
    });
  }
});

test("an engine that is started after a signal that ended nothing is stopped by the next", async () => {
  const program = `
    const engine = createCronflow({ database: "again.db" });
    const executes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const work = engine.define({ id: "work" }).manual().step("x", async (ctx) => {
      executes[ctx.payload as number]?.resolve();
      await Bun.sleep(200);
      console.log("done", ctx.payload);
    });
    process.on("SIGTERM", () => {});
    for (const index of [0, 1]) {
      await engine.start();
      await engine.trigger(work, index);
      await executes[index]?.promise;
      signal("SIGTERM");
      while (await engine.list().then(() => true, () => false)) await Bun.sleep(10);
    }
    process.exit(7);
  `;
  expect(await ended(temporaryDirectory(), program)).toEqual({ lines: ["done 0", "done 1"], code: 7, signal: null });
});

test("an engine that leaves signals to the user is not stopped by those of another", async () => {
  const program = `
    const [mine, its] = [createCronflow({ database: "mine.db" }), createCronflow({ database: "its.db" })];
    for (const engine of [mine, its]) engine.define({ id: "w" }).step("x", () => "executed");
    await mine.start({ handleSignals: false });
    await its.start();
    process.on("SIGTERM", async () => {
      await Bun.sleep(200);
      console.log(await mine.execute("w"), process.listenerCount("SIGTERM"), process.listenerCount("SIGINT"));
      process.exit(7);
    });
    signal("SIGTERM");
  `;
  expect(await ended(temporaryDirectory(), program)).toEqual({ lines: ["executed 1 0"], code: 7, signal: null });
});

test("two copies of this package in one process end it once, when the engines of both have stopped", async () => {
  const program = `
    const copies = await Promise.all(["first", "second"].map((copy) => import(${JSON.stringify(signals)} + "?" + copy)));
    if (copies[0] === copies[1]) throw new Error("this is one copy");
    for (const [index, { stopOnSignals }] of copies.entries()) {
      stopOnSignals({ stop: () => Bun.sleep(100 + index * 200).then(() => console.log("stopped", index)) });
    }
    console.log(process.listenerCount("SIGTERM"));
    signal("SIGTERM");
  `;
  expect(await ended(temporaryDirectory(), program)).toEqual({
    lines: ["1", "stopped 0", "stopped 1"],
    code: null,
    signal: "SIGTERM",
  });
});

test("an engine that starts while others stop is stopped as well, and one that cannot be does not hold them up", async () => {
  const program = `
    const { stopOnSignals } = await import(${JSON.stringify(signals)});
    stopOnSignals({ stop: () => Promise.reject(new Error("this cannot be stopped")) });
    stopOnSignals({
      async stop() {
        stopOnSignals({ stop: async () => console.log("the late one") });
        await Bun.sleep(100);
        console.log("the early one");
      },
    });
    signal("SIGTERM");
  `;
  expect(await ended(temporaryDirectory(), program)).toEqual({
    lines: ["the early one", "the late one"],
    code: null,
    signal: "SIGTERM",
  });
});
