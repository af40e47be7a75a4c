/** What it costs to cross the boundary: a no-op and a JSON echo, through the real binding, object to object. */
import { dlopen, FFIType } from "bun:ffi";
import { Core } from "../runtime/native/binding.ts";
import { findLibrary } from "../runtime/native/library.ts";
import { round, table } from "./lib/table.ts";

const ROUNDS = 7;

/** Nanoseconds of one call: the least, the middle and the greatest of several rounds. */
function nanoseconds(calls: number, work: () => void): [number, number, number] {
  for (let call = 0; call < calls / 10; call += 1) work();
  const times = Array.from({ length: ROUNDS }, () => {
    const began = Bun.nanoseconds();
    for (let call = 0; call < calls; call += 1) work();
    return (Bun.nanoseconds() - began) / calls;
  }).sort((a, b) => a - b);
  return [round(times[0] as number), round(times[ROUNDS >> 1] as number), round(times[ROUNDS - 1] as number)];
}

const library = dlopen(findLibrary().path, { cronflow_abi_version: { args: [], returns: FFIType.u32 } });
const core = new Core({ database: ":memory:", inline: true });

const rows: (string | number)[][] = [["no-op", "-", ...nanoseconds(5_000_000, library.symbols.cronflow_abi_version)]];
for (const [name, bytes] of [
  ["echo", 100],
  ["echo", 1_000],
  ["echo", 10_000],
  ["echo", 100_000],
] as const) {
  const value = {
    items: Array.from({ length: Math.max(1, Math.floor(bytes / 50)) }, (_, id) => ({
      id,
      name: "a value of some length",
      ok: true,
    })),
  };
  const calls = Math.max(200, Math.floor(20_000_000 / bytes));
  const text = JSON.stringify(value);
  rows.push([
    `${name}, object → object`,
    text.length,
    ...nanoseconds(calls, () => core.ask(`{"echo":${JSON.stringify(value)}}`)),
  ]);
}
core.close();
console.log(table(["call", "bytes", "min ns", "median ns", "max ns"], rows));
