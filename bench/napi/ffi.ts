/** The C door by bun:ffi, as `runtime/native/binding.ts` uses it, into the same file that the N-API doors are in. */
import { dlopen, FFIType } from "bun:ffi";
import { ADDON, bytes, type Door } from "./door.ts";

const { u32, i32, ptr: pointer } = FFIType;
const { symbols } = dlopen(ADDON, {
  bench_noop: { args: [], returns: u32 },
  bench_echo: { args: [pointer, u32, pointer, u32], returns: i32 },
  cronflow_abi_version: { args: [], returns: u32 },
  cronflow_open: { args: [pointer, u32], returns: u32 },
  cronflow_call: { args: [u32, pointer, u32, pointer, u32], returns: i32 },
  cronflow_submit: { args: [u32, pointer, u32], returns: i32 },
  cronflow_take: { args: [u32, pointer, u32], returns: i32 },
  cronflow_close: { args: [u32], returns: i32 },
});

let input = bytes(64 << 10);
let output = bytes(64 << 10);

function write(text: string): number {
  if (text.length * 3 > input.length) input = bytes(text.length * 3);
  return input.utf8Write(text, 0);
}

/** Makes room for an answer that did not fit. */
function grow(needed: number): void {
  output = bytes(needed + (needed >> 1));
}

/** The text that a call has written. */
function read(written: number): string {
  if (written < 0) throw new Error(`the core answered with code ${written}`);
  return output.utf8Slice(0, written);
}

function echo(text: string): string {
  const length = write(text);
  let written = symbols.bench_echo(input, length, output, output.length);
  if (written > output.length) {
    grow(written);
    written = symbols.bench_echo(input, length, output, output.length);
  }
  return read(written);
}

function call(core: number, request: string): string {
  const length = write(request);
  const written = symbols.cronflow_call(core, input, length, output, output.length);
  if (written <= output.length) return read(written);
  grow(written);
  return take(core);
}

function take(core: number): string {
  const written = symbols.cronflow_take(core, output, output.length);
  if (written <= output.length) return read(written);
  grow(written);
  return take(core);
}

function submit(core: number, request: string): number {
  const length = write(request);
  return symbols.cronflow_submit(core, input, length);
}

export const ffi: Door = {
  name: "FFI",
  noops(calls) {
    let sum = 0;
    for (let call = 0; call < calls; call += 1) sum += symbols.bench_noop();
    return sum;
  },
  echoes(text, calls) {
    let last = "";
    for (let call = 0; call < calls; call += 1) last = echo(text);
    return last;
  },
  abiVersion: symbols.cronflow_abi_version,
  open(config) {
    const length = write(config);
    return symbols.cronflow_open(input, length);
  },
  call,
  submit,
  take,
  close: symbols.cronflow_close,
};
