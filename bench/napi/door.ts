/** A way from JavaScript to the core: text in, text out. Nothing in here knows Bun, so that Node can run it too. */
import { join } from "node:path";

const FILE = process.platform === "darwin" ? "libcronflow_napi.dylib" : "libcronflow_napi.so";

/** The file that has all doors: built by `bun build.ts bench napi`. */
export const ADDON =
  process.env["CRONFLOW_NAPI"] ?? join(import.meta.dirname, "..", "..", "target", "napi", "release", FILE);

export interface Door {
  readonly name: string;
  /** So many calls that do nothing. The loops stand beside the calls, where the compiler sees one callee. */
  noops(calls: number): number;
  /** So many calls that answer with the text they were given. */
  echoes(text: string, calls: number): string;
  /** The six functions, as `native/include/cronflow.h` has them; `take` gives an empty text when there is no answer. */
  readonly abiVersion: () => number;
  open(config: string): number;
  call(core: number, request: string): string;
  submit(core: number, request: string): number;
  take(core: number): string;
  close(core: number): number;
}

// In the typed interface of Buffer these two are missing; Node has them as well as Bun.
export type Bytes = Buffer & {
  utf8Write(text: string, offset: number): number;
  utf8Slice(start: number, end: number): string;
};

export function bytes(length: number): Bytes {
  return Buffer.from(new ArrayBuffer(length)) as Bytes;
}
