/**
 * The packages that hold the native library, one for each platform. Each is a literal `require` in a `try` of its own:
 * so `bun build --compile` embeds those that are installed and passes over the others. The build of the package keeps
 * this file as it is and outside of its chunks, because a bundler recognises no `require` that another has rewritten.
 */
import { existsSync, readFileSync } from "node:fs";
import { basename, isAbsolute, join } from "node:path";

/** What the module of such a package exports. */
interface PlatformModule {
  /** Path of the library; relative to the program when that was bundled. */
  readonly default: string;
  /** What the library says of itself in `about.build`. */
  readonly build: string;
}

/** A library that a package has brought. */
export interface PackagedLibrary {
  readonly path: string;
  readonly build: string;
}

type Required = PlatformModule | Error;

const PACKAGES: Readonly<Record<string, () => Required>> = {
  "linux-x64-gnu": () => {
    try {
      return require("cronflow-ffi-linux-x64-gnu") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "linux-x64-musl": () => {
    try {
      return require("cronflow-ffi-linux-x64-musl") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "linux-arm64-gnu": () => {
    try {
      return require("cronflow-ffi-linux-arm64-gnu") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "linux-arm64-musl": () => {
    try {
      return require("cronflow-ffi-linux-arm64-musl") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "darwin-x64": () => {
    try {
      return require("cronflow-ffi-darwin-x64") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "darwin-arm64": () => {
    try {
      return require("cronflow-ffi-darwin-arm64") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
  "win32-x64-msvc": () => {
    try {
      return require("cronflow-ffi-win32-x64-msvc") as PlatformModule;
    } catch (error) {
      return error as Error;
    }
  },
};

/** The platforms for which there is a package. */
export const PLATFORM_NAMES: readonly string[] = Object.keys(PACKAGES);

/** The platform this process is for: `linux-x64-gnu`, `darwin-arm64`. */
export function platformName(): string {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") return `${base}-${libc()}`;
  return process.platform === "win32" ? `${base}-msvc` : base;
}

/**
 * Which C library this process lives with: musl's loader is one of the files that it has mapped, under this name, or
 * where that is a link, as it is outside of Alpine, as `libc.so`, which with glibc is a text that nobody maps. What is
 * installed says nothing, because both may be; nor does the executable, which may have been replaced, or be readable by
 * nobody.
 */
function libc(): "gnu" | "musl" {
  const mapped = readFileSync("/proc/self/maps", "latin1");
  return /\/(ld-musl-[^/\n]+|libc\.so)( \(deleted\))?$/m.test(mapped) ? "musl" : "gnu";
}

/** The library for a platform, or why there is none. */
export function packagedLibrary(platform: string): PackagedLibrary | Error {
  const found = PACKAGES[platform]?.() ?? new Error(`there is no package cronflow-ffi-${platform}`);
  if (found instanceof Error) return found;
  const { default: path, build } = found;
  return { path: isAbsolute(path) ? absolute(path) : join(import.meta.dir, path), build };
}

/** A bundler that is told a public path puts that before the name; the file is beside the program all the same. */
function absolute(path: string): string {
  const beside = join(import.meta.dir, basename(path));
  return !existsSync(path) && existsSync(beside) ? beside : path;
}

/** The platforms for which a library is installed, or embedded in this executable. */
export function packagedPlatforms(): readonly string[] {
  return PLATFORM_NAMES.filter((platform) => !(packagedLibrary(platform) instanceof Error));
}
