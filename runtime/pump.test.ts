import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { type Clock, wallClock } from "./clock.ts";
import { BugError, UnknownOutcomeError } from "./errors.ts";
import { Core } from "./native/binding.ts";
import { LIMITS } from "./native/generated.ts";
import type { AnswerMessage, ErrorMessage } from "./native/protocol.ts";
import { Pump } from "./pump.ts";

const pumps: Pump[] = [];
const cores: Core[] = [];
afterEach(() => {
  for (const pump of pumps.splice(0)) pump.close();
  for (const core of cores.splice(0)) core.close();
});

async function open(config: { readonly inline?: boolean; readonly wake_up?: boolean }): Promise<Pump> {
  const core = new Core({ database: ":memory:", ...config });
  cores.push(core);
  const onFailure = (error: Error): void => {
    throw error;
  };
  const pump = new Pump({ core, onEffect: () => {}, executing: () => [], onFailure });
  pumps.push(pump);
  await pump.open();
  return pump;
}

const WAYS = [
  ["a socket", {}],
  ["a look from time to time, where there are no socket pairs", { wake_up: false }],
  ["nothing, when the core works while it is called", { inline: true }],
] as const;

test.each(WAYS)("every command is answered, told by %s", async (_name, config) => {
  const pump = await open(config);
  expect(await pump.ask('{"echo":1}')).toEqual(1 as never);
  const many = Array.from({ length: 5_000 }, (_, number) => pump.ask(`{"echo":${number}}`));
  expect(await Promise.all(many)).toEqual(many.map((_, number) => number as never));
  expect(pump.unanswered).toBe(0);
});

test.each(WAYS)("a process ends when nothing is due, and not before, told by %s", async (_name, config) => {
  const program = `
    const { Core } = await import(${JSON.stringify(join(import.meta.dir, "native/binding.ts"))});
    const { Pump } = await import(${JSON.stringify(join(import.meta.dir, "pump.ts"))});
    const core = new Core(${JSON.stringify({ database: ":memory:", ...config })});
    const pump = new Pump({ core, onEffect: () => {}, executing: () => [], onFailure: (error) => console.log(error) });
    await pump.open();
    pump.send('{"echo":"answered"}', (result) => console.log(result));`;
  const child = Bun.spawn([process.execPath, "--eval", program], { stdout: "pipe", stderr: "inherit" });
  expect(await child.stdout.text()).toBe("answered\n");
  expect(await child.exited).toBe(0);
});

/** A command of so many bytes. */
function echoOf(bytes: number, character = "x"): string {
  return `{"echo":"${character.repeat((bytes - 11) / Buffer.byteLength(character))}"}`;
}

/** How many characters come back, or the code of the refusal. */
function sizeOf(answer: Promise<unknown>): Promise<unknown> {
  return answer.then(
    (result) => String(result).length,
    (error) => error.code,
  );
}

test("what is too much for one request is sent in several, and the largest command in one of its own", async () => {
  const pump = await open({ inline: true });
  const largest = LIMITS.REQUEST_BYTES - 256;
  // One that almost fills a request, and one that would not fit in beside it; both in characters of one and of three bytes.
  const sizes = [
    [(8 << 20) - 1, "x"],
    [largest, "x"],
    [((8 << 20) - 12) * 3 + 11, "€"],
    [largest - 2, "€"],
  ] as const;
  const answers = sizes.map(([bytes, character]) => sizeOf(pump.ask(echoOf(bytes, character))));
  const characters = sizes.map(([bytes, character]) => Math.floor((bytes - 11) / Buffer.byteLength(character)));
  expect(await Promise.all(answers)).toEqual(characters);
});

test.each([
  [LIMITS.REQUEST_BYTES - 255, "x"],
  [LIMITS.REQUEST_BYTES + 1, "€"],
])("a command of %i bytes is refused to its sender alone", async (bytes, character) => {
  const pump = await open({ inline: true });
  const commands = ['{"echo":"before"}', echoOf(bytes, character), '{"echo":"after"}'];
  expect(await Promise.all(commands.map((command) => sizeOf(pump.ask(command))))).toEqual([6, "request_too_large", 5]);
  expect(pump.unanswered).toBe(0);
});

test("the refusal of a command that is too large says how large it is", async () => {
  const pump = await open({ inline: true });
  expect(pump.ask(echoOf(LIMITS.REQUEST_BYTES))).rejects.toThrow(
    `This has ${LIMITS.REQUEST_BYTES} bytes, and at most ${LIMITS.REQUEST_BYTES - 256} can be recorded at once.`,
  );
});

test("questions whose answers are too large together are answered one commit after the other", async () => {
  const lengths: number[] = [];
  class MeasuringCore extends Core {
    override take(): AnswerMessage | undefined {
      const answer = super.take();
      if (answer !== undefined) lengths.push(JSON.stringify(answer).length);
      return answer;
    }
  }
  const core = new MeasuringCore({ database: ":memory:", inline: true });
  cores.push(core);
  const pump = new Pump({ core, onEffect: () => {}, executing: () => [], onFailure: () => {} });
  pumps.push(pump);
  await pump.open();
  await pump.ask('{"define":{"id":"w","nodes":[{"kind":"step","name":"s"}]}}');
  const payload = JSON.stringify("x".repeat(LIMITS.VALUE_BYTES - 2));
  const { run } = await pump.ask<{ run: string }>(`{"start":{"workflow":"w","payload":${payload}}}`);
  const question = `{"query":{"run":{"run":"${run}"}}}`;
  const fit = LIMITS.ANSWER_BYTES / LIMITS.VALUE_BYTES;
  const answers = Array.from({ length: 3 * fit + 1 }, () => pump.ask<{ run: string }>(question));
  // What changes something is not held up by what is asked.
  const { run: other } = await pump.ask<{ run: string }>('{"start":{"workflow":"w"}}');
  expect(other).toStartWith("run_");
  for (const answer of await Promise.all(answers)) expect(answer.run).toBe(run);
  const large = lengths.filter((length) => length > LIMITS.VALUE_BYTES);
  expect(large.length).toBe(4);
  expect(Math.max(...large)).toBeLessThan(LIMITS.ANSWER_BYTES + 2 * LIMITS.VALUE_BYTES);
});

/** A pump over a core that can be made to throw, and what its commands heard. */
async function breaking(how: "submit" | "take") {
  let isBroken = false;
  class BreakingCore extends Core {
    override submit(request: string): boolean {
      if (isBroken && how === "submit") throw new BugError("poisoned", "broken");
      return super.submit(request);
    }
    override take(): AnswerMessage | undefined {
      if (isBroken && how === "take") throw new BugError("poisoned", "broken");
      return super.take();
    }
  }
  const core = new BreakingCore({ database: ":memory:", inline: true });
  cores.push(core);
  const failures: Error[] = [];
  const onFailure = (error: Error): void => void failures.push(error);
  const pump = new Pump({ core, onEffect: () => {}, executing: () => [], onFailure });
  pumps.push(pump);
  await pump.open();
  const breakNow = (): void => {
    isBroken = true;
  };
  return { pump, failures, breakNow };
}

const heard = (answers: Promise<unknown>[]): Promise<unknown[]> =>
  Promise.all(answers.map((answer) => answer.catch((error) => error)));

test("when a request cannot be given to the engine, its commands, those behind it and all later ones hear why", async () => {
  const { pump, failures, breakNow } = await breaking("submit");
  breakNow();
  // The last ones come when the first request has failed.
  const answers = Array.from({ length: 40 }, () => pump.ask('{"echo":1}'));
  for (const error of await heard(answers)) expect(error).toMatchObject({ code: "poisoned", message: "broken" });
  expect(failures.map(({ message }) => message)).toEqual(["broken"]);
  expect(pump.ask('{"echo":1}')).rejects.toThrow("broken");
  expect(pump.unanswered).toBe(0);
});

test("when answers cannot be taken any more, what was sent hears that it may have been done", async () => {
  const { pump, failures, breakNow } = await breaking("take");
  // So many go at once.
  const sent = Array.from({ length: 32 }, () => pump.ask('{"echo":1}'));
  breakNow();
  for (const error of await heard(sent)) {
    expect(error).toBeInstanceOf(UnknownOutcomeError);
    expect((error as Error).message).toEndWith("it may have done what was asked: broken");
  }
  expect(failures).toHaveLength(1);
});

test("one who throws when he is told breaks the connection, and those after him still hear of it", async () => {
  const { pump, failures } = await breaking("take");
  const codes: (ErrorMessage["code"] | undefined)[] = [];
  const listen = (_result: unknown, error: ErrorMessage | undefined): void => void codes.push(error?.code);
  pump.send('{"echo":1}', listen);
  pump.send('{"echo":2}', () => {
    throw new Error("mine");
  });
  pump.send('{"echo":3}', listen);
  const last = pump.ask('{"echo":4}');
  expect(last).rejects.toThrow("mine");
  await heard([last]);
  expect([codes, failures.map(({ message }) => message)]).toEqual([[undefined, "call_timeout"], ["mine"]]);
});

/** A pump over a core whose storage fails for so many requests, and the requests it was given. */
async function failing(failures: number, clock: Clock = wallClock, inline = true) {
  const requests: { seq: number; capacity?: number; commands: Record<string, unknown>[] }[] = [];
  class FailingCore extends Core {
    readonly #refusals: AnswerMessage[] = [];
    override submit(request: string): boolean {
      const parsed = JSON.parse(request);
      requests.push(parsed);
      if (requests.length > failures) return super.submit(request);
      const error: ErrorMessage = { code: "disk_full", class: "unavailable", message: "full" };
      this.#refusals.push({ requests: [{ seq: parsed.seq, error }] } as AnswerMessage);
      return true;
    }
    override take(): AnswerMessage | undefined {
      return this.#refusals.shift() ?? super.take();
    }
  }
  const core = new FailingCore({ database: ":memory:", inline }, undefined, clock);
  cores.push(core);
  const onFailure = (error: Error): void => {
    throw error;
  };
  const pump = new Pump({ core, onEffect: () => {}, executing: () => [["run", 1]], onFailure });
  pumps.push(pump);
  await pump.open();
  return { pump, requests };
}

test("what was lost with commits that failed is asked for once, however many did, and slots are offered again", async () => {
  const { pump, requests } = await failing(7);
  pump.setCapacity(3);
  expect(await pump.ask('{"echo":1}', true)).toBe(1 as never);
  await pump.ask('{"echo":2}');
  const heartbeats = requests.map(({ commands }) => commands.filter((command) => "heartbeat" in command).length);
  const commands = requests.map(({ commands }) => commands.length);
  expect(commands.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(requests.length + 1);
  // In every second request at the most: the other one has the command that is sent again.
  expect(heartbeats.filter((count) => count > 0).length).toBeLessThanOrEqual(Math.ceil(requests.length / 2));
  expect(requests[7]?.capacity ?? requests[8]?.capacity).toBe(3);
});

test("the clock is looked at while nothing is due, because it may be set", async () => {
  let now = 1_000_000;
  const waits: number[] = [];
  let look = (): void => {};
  const clock: Clock = {
    now: () => now,
    after: (ms, call) => {
      waits.push(ms);
      look = call;
      return () => {};
    },
  };
  const { pump, requests } = await failing(0, clock, false);
  const node = { kind: "sleep", name: "rest", duration_ms: 3_600_000 };
  pump.setCapacity(1);
  await pump.ask(`{"define":${JSON.stringify({ id: "w", nodes: [node] })}}`);
  const { run } = await pump.ask<{ run: string }>('{"start":{"workflow":"w"}}');
  expect(waits.at(-1)).toBe(30_000);
  const before = requests.length;
  now += 30_000;
  look();
  expect([requests.length, waits.at(-1)]).toEqual([before, 30_000]);
  // The machine has slept, or its clock was set.
  now += 3_600_000;
  look();
  expect(requests.length).toBe(before + 1);
  expect(await pump.ask(`{"query":{"run":{"run":"${run}"}}}`)).toMatchObject({ status: "completed" });
});

test("a request that cannot be read breaks the connection, so that nobody waits for its answer", async () => {
  const { pump, failures } = await breaking("take");
  const answer = pump.ask('{"echo":');
  await expect(answer).rejects.toThrow("not a request");
  expect(failures).toHaveLength(1);
});
