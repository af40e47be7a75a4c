/** Finds the native library: an override, the package of this platform, or the build of a checkout. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { PLATFORM_NAMES, packagedLibrary, packagedPlatforms, platformName } from "#platform";
import { VERSION } from "./generated.ts";

/** Bundled, this module is part of another file, and above that lie folders that are nobody's. */
const IS_CHECKOUT = import.meta.file === "library.ts";

/** Where the library is. */
export interface NativeLibrary {
  readonly path: string;
  /** What it must say of itself in `about.build`; of an override and a checkout anything goes. */
  readonly build?: string;
}

/** The library for this process. Throws with what to do when there is none. */
export function findLibrary(environment: Record<string, string | undefined> = process.env): NativeLibrary {
  const override = environment["CRONFLOW_LIBRARY"];
  if (override !== undefined && override !== "") {
    if (existsSync(override)) return { path: override };
    throw new Error(`CRONFLOW_LIBRARY points to ${override}, which does not exist, or may not be read.`);
  }
  const platform = platformName();
  const packaged = packagedLibrary(platform);
  if (!(packaged instanceof Error)) return packaged;
  const built = builtLibrary();
  if (IS_CHECKOUT && existsSync(built)) return { path: built };
  throw new Error(missing(platform, packaged), { cause: packaged });
}

/** Where `bun build.ts native` leaves the library of a checkout. */
export function builtLibrary(): string {
  const names: Partial<Record<NodeJS.Platform, string>> = { win32: "cronflow.dll", darwin: "libcronflow.dylib" };
  const name = names[process.platform] ?? "libcronflow.so";
  return join(import.meta.dir, "..", "..", "target", "release", name);
}

/** What is wrong, where, and what to do. */
function missing(platform: string, why: Error): string {
  const others = packagedPlatforms();
  const found =
    others.length === 0 ? "" : ` It has the one for ${others.join(", ")}: it was installed or built for that.`;
  if (!PLATFORM_NAMES.includes(platform)) {
    return (
      `cronflow-ffi has no native library for ${platform}; there are packages for ${PLATFORM_NAMES.join(", ")}.${found} ` +
      "Build it from the sources and set CRONFLOW_LIBRARY to its path."
    );
  }
  const [reason] = why.message.split("\n", 1);
  return (
    `The native library of cronflow-ffi for ${platform} was not found (${reason}).${found} ` +
    `Install without \`--omit=optional\`, or add it by \`bun add --optional cronflow-ffi-${platform}@${VERSION}\`, and build ` +
    "an executable again after that (for another system, `bun install` takes `--os`, `--cpu` and `--libc`); " +
    "in a checkout build it with `bun build.ts native`; elsewhere set CRONFLOW_LIBRARY to its path."
  );
}
