/** Loads the native library, once for each path: it is never closed, because its threads may outlive any engine. */
import { dlopen, FFIType } from "bun:ffi";
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { loadable } from "./embedded.ts";
import { ABI_VERSION } from "./generated.ts";

const { u32, i32, ptr } = FFIType;
const SYMBOLS = {
  cronflow_abi_version: { args: [], returns: u32 },
  cronflow_open: { args: [ptr, u32], returns: u32 },
  cronflow_call: { args: [u32, ptr, u32, ptr, u32], returns: i32 },
  cronflow_submit: { args: [u32, ptr, u32], returns: i32 },
  cronflow_take: { args: [u32, ptr, u32], returns: i32 },
  cronflow_close: { args: [u32], returns: i32 },
} as const;

/** The six functions of `native/include/cronflow.h`. */
export type Functions = ReturnType<typeof dlopen<typeof SYMBOLS>>["symbols"];

const loaded = new Map<string, Functions>();

/** The functions of the library at a path. Throws when it is none, or one of another ABI version. */
export function load(path: string): Functions {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const functions = open(path);
  const abi = functions.cronflow_abi_version();
  if (abi !== ABI_VERSION) {
    throw new Error(
      `${path} has ABI version ${abi}, this cronflow-ffi needs ${ABI_VERSION}: install matching versions.`,
    );
  }
  loaded.set(path, functions);
  return functions;
}

function open(path: string): Functions {
  const file = loadable(path);
  if (isAbsolute(file) && !existsSync(file)) {
    throw new Error(`${path} does not exist. A bundler puts the native library beside the program: copy both.`);
  }
  try {
    return dlopen(file, SYMBOLS).symbols;
  } catch (error) {
    throw new Error(`${path} is not a native library of cronflow-ffi: ${(error as Error).message}`, { cause: error });
  }
}
