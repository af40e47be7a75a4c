/**
 * `bun build.ts pack`: makes the packages, and tells how large they are, packed and installed. `--library PATH`:
 * of this library; default: of the one that was built here.
 */
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { table } from "../bench/lib/table.ts";
import { CleanRoom } from "./clean-room.ts";
import { type Package, pack } from "./pack.ts";

const ROOT = join(import.meta.dir, "..");
const { library } = parseArgs({ options: { library: { type: "string" } } }).values;
const packed = await pack(join(ROOT, "target", "npm"), library);

const rows = await Promise.all([packed.main, packed.platform].map(row));
console.log(table(["package", "files", "archive MB", "unpacked MB"], rows));
console.log(`\n${await installation()}`);

async function row({ directory, archive }: Package): Promise<(string | number)[]> {
  const { files, bytes } = await measured(directory);
  return [relative(ROOT, archive), files, megabytes((await stat(archive)).size), megabytes(bytes)];
}

/** What `bun add cronflow-ffi` puts into an empty project. */
async function installation(): Promise<string> {
  await using room = await CleanRoom.open(packed);
  await room.add(packed.main.name);
  const { files, bytes } = await measured(join(room.directory, "node_modules"));
  const packages = room.registry.downloads.length;
  return `bun add ${packed.main.name}: ${packages} packages, ${files} files, ${megabytes(bytes)} MB`;
}

async function measured(directory: string): Promise<{ files: number; bytes: number }> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(file.parentPath, file.name))).size));
  return { files: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}
