/**
 * A file in memory that nobody can change any more (`memfd_create`, file seals; Linux). Nothing is left behind, it needs
 * no folder, and one that holds a library can be opened by `dlopen` like any other.
 */
import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { closeSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { getSystemErrorName } from "node:util";

const { cstring, i32, u32, ptr } = FFIType;
const LIBC = {
  memfd_create: { args: [cstring, u32], returns: i32 },
  fcntl: { args: [i32, i32, i32], returns: i32 },
  __errno_location: { args: [], returns: ptr },
} as const;
type Libc = ReturnType<typeof dlopen<typeof LIBC>>["symbols"];

// memfd_create(2) and fcntl(2): the numbers are the same on every architecture that Bun runs on.
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Not to be executed as a program; mapping it does not need that. Linux before 6.3 does not know the flag. */
const MFD_NOEXEC_SEAL = 8;
const F_GETFD = 1;
const FD_CLOEXEC = 1;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** No further seal, no other length, no other content. */
const SEALS = 1 | 2 | 4 | 8;

const DESCRIPTORS = "/proc/self/fd";

/**
 * The path of a sealed file of this name, which this process keeps open: the one that it has made before, in whichever
 * Worker, else a new one with these bytes. Two Workers that ask in the same instant may get one each. Throws when the
 * system refuses.
 */
export function memoryFile(name: string, content: () => Uint8Array): string {
  const libc = dlopen("libc.so.6", LIBC).symbols; // musl answers to this name, too.
  return `${DESCRIPTORS}/${findFile(libc, name) ?? makeFile(libc, name, content())}`;
}

/** One that was inherited may hold anything; it has come through an exec, so it is not marked to be closed by one. */
function findFile(libc: Libc, name: string): number | undefined {
  return readdirSync(DESCRIPTORS)
    .filter((descriptor) => linkOf(descriptor) === `/memfd:${name} (deleted)`)
    .map(Number)
    .find((descriptor) => has(libc.fcntl(descriptor, F_GETFD, 0), FD_CLOEXEC) && isSealed(libc, descriptor));
}

/** One that is not sealed is being written. */
function isSealed(libc: Libc, descriptor: number): boolean {
  return has(libc.fcntl(descriptor, F_GET_SEALS, 0), SEALS);
}

/** Whether an answer of `fcntl` is not -1, its way to fail, and has all of these bits. */
function has(answer: number, bits: number): boolean {
  return answer >= 0 && (answer & bits) === bits;
}

/** Nothing when the descriptor was closed since it was listed. */
function linkOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`${DESCRIPTORS}/${descriptor}`);
  } catch {
    return undefined;
  }
}

function makeFile(libc: Libc, name: string, content: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const text = Buffer.from(`${name}\0`);
  let descriptor = libc.memfd_create(text, flags | MFD_NOEXEC_SEAL);
  if (descriptor < 0) descriptor = libc.memfd_create(text, flags);
  if (descriptor < 0) throw systemError(libc, "memfd_create");
  try {
    writeFileSync(descriptor, content);
    if (libc.fcntl(descriptor, F_ADD_SEALS, SEALS) < 0) throw systemError(libc, "fcntl(F_ADD_SEALS)");
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return descriptor;
}

function systemError(libc: Libc, call: string): Error {
  const code = read.i32(libc.__errno_location() as Pointer, 0); // Never null.
  return new Error(`${call}: ${getSystemErrorName(-code)}`);
}
