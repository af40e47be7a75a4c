/** Finds the native library: an override, or the build of this checkout. */

import { suffix } from "bun:ffi";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The path of the library, and where it was found. Throws with what to do when there is none. */
export function findLibrary(environment: Record<string, string | undefined> = process.env): string {
  const override = environment["CRONFLOW_LIBRARY"];
  if (override !== undefined && override !== "") {
    if (existsSync(override)) return override;
    throw new Error(`CRONFLOW_LIBRARY points to ${override}, which does not exist.`);
  }
  const name = process.platform === "win32" ? "cronflow.dll" : `libcronflow.${suffix}`;
  const built = join(import.meta.dir, "..", "..", "target", "release", name);
  if (existsSync(built)) return built;
  throw new Error(
    `The native library of cronflow-ffi for ${process.platform}-${process.arch} was not found. ` +
      "In a checkout, build it with `bun build.ts native`; elsewhere set CRONFLOW_LIBRARY to its path.",
  );
}
