/** The platforms for which there is a package with the native library. */
import { platformName } from "../runtime/native/platform.ts";

export interface Platform {
  /** As in `cronflow-ffi-<name>`. The names contain `linux` and `musl` because Bun heeds `libc` only then. */
  readonly name: string;
  readonly os: "linux" | "darwin" | "win32";
  readonly cpu: "x64" | "arm64";
  readonly libc?: "glibc" | "musl";
  /** What the Rust compiler calls it. */
  readonly target: string;
  /** The file that cargo makes, and that is shipped. */
  readonly library: string;
}

const MACHINES = { x64: "x86_64", arm64: "aarch64" } as const;

export const PLATFORMS: readonly Platform[] = [
  linux("x64", "gnu"),
  linux("x64", "musl"),
  linux("arm64", "gnu"),
  linux("arm64", "musl"),
  darwin("x64"),
  darwin("arm64"),
  { name: "win32-x64-msvc", os: "win32", cpu: "x64", target: "x86_64-pc-windows-msvc", library: "cronflow.dll" },
];

function linux(cpu: "x64" | "arm64", abi: "gnu" | "musl"): Platform {
  const target = `${MACHINES[cpu]}-unknown-linux-${abi}`;
  const libc = abi === "gnu" ? "glibc" : "musl";
  return { name: `linux-${cpu}-${abi}`, os: "linux", cpu, libc, target, library: "libcronflow.so" };
}

function darwin(cpu: "x64" | "arm64"): Platform {
  const target = `${MACHINES[cpu]}-apple-darwin`;
  return { name: `darwin-${cpu}`, os: "darwin", cpu, target, library: "libcronflow.dylib" };
}

/** The platform of this name; of this machine when there is none. */
export function platform(name: string = platformName()): Platform {
  const found = PLATFORMS.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new Error(`There is no package for ${name}; there are ${PLATFORMS.map((each) => each.name).join(", ")}.`);
}

/** The package's name. */
export function packageName(of: Platform): string {
  return `cronflow-ffi-${of.name}`;
}
