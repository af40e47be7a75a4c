/** The N-API doors: the same functions in the same file, for Bun and for Node. */
import { ADDON, bytes, type Door } from "./door.ts";

interface Functions {
  noop(): number;
  echo(text: string): string;
  abiVersion(): number;
  open(config: string): number;
  call(core: number, request: string): string;
  submit(core: number, request: string): number;
  take(core: number): string;
  close(core: number): number;
}

interface Addon extends Functions {
  readonly byHand: Functions & {
    echoUncopied(text: string): string;
    echoBuffers(request: Buffer, length: number, answer: Buffer): number;
  };
}

const loaded = { exports: {} };
process.dlopen(loaded, ADDON);
const addon = loaded.exports as Addon;
const byHand = addon.byHand;

/** As one writes it with napi-rs. */
export const plain: Door = {
  ...addon,
  name: "napi-rs",
  noops(calls) {
    let sum = 0;
    for (let call = 0; call < calls; call += 1) sum += addon.noop();
    return sum;
  },
  echoes(text, calls) {
    let last = "";
    for (let call = 0; call < calls; call += 1) last = addon.echo(text);
    return last;
  },
};

/** By the fewest calls of N-API. */
export const strings: Door = {
  ...byHand,
  name: "by hand",
  noops(calls) {
    let sum = 0;
    for (let call = 0; call < calls; call += 1) sum += byHand.noop();
    return sum;
  },
  echoes(text, calls) {
    let last = "";
    for (let call = 0; call < calls; call += 1) last = byHand.echo(text);
    return last;
  },
};

/** The echo alone, through buffers of the caller as the C door has them. */
export const buffers: Pick<Door, "name" | "echoes"> = {
  name: "by hand, buffers",
  echoes(text, calls) {
    let last = "";
    for (let call = 0; call < calls; call += 1) last = echoBuffers(text);
    return last;
  },
};

let input = bytes(64 << 10);
let output = bytes(64 << 10);

function echoBuffers(text: string): string {
  if (text.length * 3 > input.length) [input, output] = [bytes(text.length * 3), bytes(text.length * 3)];
  const written = byHand.echoBuffers(input, input.utf8Write(text, 0), output);
  return output.utf8Slice(0, written);
}

/** The echo alone, without the copy that the C functions make on the way out. */
export const uncopied: Pick<Door, "name" | "echoes"> = {
  name: "by hand, uncopied",
  echoes(text, calls) {
    let last = "";
    for (let call = 0; call < calls; call += 1) last = byHand.echoUncopied(text);
    return last;
  },
};
