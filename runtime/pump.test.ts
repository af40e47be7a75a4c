import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Core } from "./native/binding.ts";
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
    const { Core } = await import("${join(import.meta.dir, "native/binding.ts")}");
    const { Pump } = await import("${join(import.meta.dir, "pump.ts")}");
    const core = new Core(${JSON.stringify({ database: ":memory:", ...config })});
    const pump = new Pump({ core, onEffect: () => {}, executing: () => [], onFailure: (error) => console.log(error) });
    await pump.open();
    pump.send('{"echo":"answered"}', (result) => console.log(result));`;
  const child = Bun.spawn([process.execPath, "--eval", program], { stdout: "pipe", stderr: "inherit" });
  expect(await child.stdout.text()).toBe("answered\n");
  expect(await child.exited).toBe(0);
});
