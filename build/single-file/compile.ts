/** Makes executables as a user does: in a project where the packages are installed, which is gone afterwards. */
import { copyFileSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { CleanRoom } from "../clean-room.ts";
import { type Package, type Packed, pack } from "../pack.ts";
import { platform } from "../platforms.ts";

const PROGRAMS = readdirSync(import.meta.dir).map((name) => join(import.meta.dir, name));
const KILLED = join(import.meta.dir, "../../runtime/recovery/host.ts");

export interface Executable {
  readonly file: string;
  /** The folder in which it is alone. */
  readonly alone: string;
}

/**
 * Compiles programs of this folder, each with the words that `bun build --compile` is told, and moves each executable alone
 * into an empty folder below `directory`.
 */
export async function compile<Name extends string>(
  packed: Packed,
  wanted: Readonly<Record<Name, readonly string[]>>,
  directory: string,
): Promise<Record<Name, Executable>> {
  await using room = await CleanRoom.open(packed);
  await room.add("cronflow-ffi", "zod");
  for (const program of [...PROGRAMS, KILLED]) copyFileSync(program, join(room.directory, basename(program)));
  const made: Partial<Record<Name, Executable>> = {};
  for (const name of Object.keys(wanted) as Name[]) {
    const built = await room.run([process.execPath, "build", "--compile", ...wanted[name], "--outfile=out/service"]);
    if (built.code !== 0) throw new Error(`${name}: ${built.stdout}${built.stderr}`);
    const alone = join(directory, name);
    mkdirSync(alone);
    renameSync(join(room.directory, "out/service"), join(alone, "service"));
    made[name] = { file: join(alone, "service"), alone };
  }
  return made as Record<Name, Executable>;
}

/** Packs the same library under another build id: a second build, as far as anything can tell. */
export async function packOtherBuild(of: Package, directory: string): Promise<Packed> {
  const [, build = ""] = /build = "(\w{16})"/.exec(await Bun.file(join(of.directory, "index.js")).text()) ?? [];
  const bytes = Buffer.from(await Bun.file(join(of.directory, platform().library)).bytes());
  const at = bytes.indexOf(build);
  if (build === "" || at < 0) throw new Error(`the library of ${of.directory} does not say its build id`);
  bytes.write("0123456789abcdef", at);
  const library = join(directory, platform().library);
  await Bun.write(library, bytes);
  return pack(directory, library);
}
