/**
 * The library inside of an executable that `bun build --compile` has made. The system's loader opens only files of the
 * system, so it has to become one: in memory, or where that is refused, in the temporary folder, where Bun puts it.
 */
import { dlopen, FFIType } from "bun:ffi";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { memoryFile } from "./memory-file.ts";

/** Something that each library has. */
const PROBE = { cronflow_abi_version: { args: [], returns: FFIType.u32 } } as const;

/**
 * A path under which `dlopen` finds the library: its own, unless it is inside of this executable. Throws what was tried,
 * why that failed, and what to do.
 */
export function loadable(path: string): string {
  return isEmbedded(path) ? open(path) : path;
}

/** Where Bun says that the files inside of an executable are. */
function isEmbedded(path: string): boolean {
  return path.startsWith("/$bunfs/") || /^[A-Za-z]:[\\/]~BUN[\\/]/.test(path);
}

/** Only opening it shows that a way is open. */
function open(path: string): string {
  const failures: Error[] = [];
  for (const way of process.platform === "linux" ? [inMemory, inTemporaryFolder] : [inTemporaryFolder]) {
    try {
      return way(path);
    } catch (error) {
      failures.push(error as Error);
    }
  }
  throw new Error(
    `The native library of cronflow-ffi inside this executable could not be opened. ${failures.map(({ message }) => message).join(" ")} ` +
      "If the folder is the reason, set BUN_TMPDIR to one in which this user may write files and execute them; if the " +
      "library is, build the executable for this system. CRONFLOW_LIBRARY takes the path of a copy of the library.",
    { cause: failures },
  );
}

/**
 * One mapping for all Workers of a process. Those that begin in the same instant may get one each, which costs memory and
 * nothing else: an engine belongs to the mapping that opened it, and a database to one engine, by the lock beside the
 * file, which knows of no mappings.
 */
function inMemory(path: string): string {
  try {
    const file = memoryFile(`cronflow-ffi/${basename(path)}`, () => readFileSync(path));
    dlopen(file, PROBE);
    return file;
  } catch (error) {
    throw new Error(`In memory: ${(error as Error).message}.`, { cause: error });
  }
}

/** Bun puts the library there itself, under a name made of its content, and opens that. */
function inTemporaryFolder(path: string): string {
  try {
    dlopen(path, PROBE);
    return path;
  } catch (error) {
    const { message } = error as Error;
    const why = message.includes(`"${path}"`) ? "Bun could not write it there" : message;
    throw new Error(`In ${process.env["BUN_TMPDIR"] ?? tmpdir()}: ${why}.`, { cause: error });
  }
}
