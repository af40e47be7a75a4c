/** A small npm registry for tests: it serves what was packed here, and what is installed in this checkout. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { platformManifest, readSource } from "./manifest.ts";
import type { Package, Packed } from "./pack.ts";
import { PLATFORMS, packageName } from "./platforms.ts";

const INSTALLED = join(import.meta.dir, "..", "node_modules");

export interface Registry {
  readonly url: string;
  /** The names of the packages whose archives were asked for, in order. */
  readonly downloads: readonly string[];
  stop(): Promise<void>;
}

interface Entry {
  readonly manifest: Record<string, unknown>;
  /** Nothing for the packages of platforms that cannot be built here. */
  readonly archive: (() => Promise<Uint8Array>) | undefined;
}

/** Serves the packages on a free port of this machine only. */
export async function serveRegistry(packages: Packed): Promise<Registry> {
  const entries = await published(packages);
  const downloads: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request): Promise<Response> => {
      const path = decodeURIComponent(new URL(request.url).pathname).slice(1);
      const isArchive = path.endsWith(".tgz");
      const name = isArchive ? path.slice(0, path.lastIndexOf("/-/")) : path;
      const entry = entries.get(name) ?? (await installed(name));
      if (entry === undefined) return new Response("not found", { status: 404 });
      const archive = await entry.archive?.();
      if (!isArchive) return Response.json(packument(entry.manifest, archive, new URL(request.url).origin));
      downloads.push(name);
      return archive === undefined ? new Response("not built here", { status: 404 }) : new Response(archive);
    },
  });
  return { url: server.url.href, downloads, stop: () => server.stop(true) };
}

/** The packages of all platforms are known, as they will be in the real registry. */
async function published({ main, platform }: Packed): Promise<Map<string, Entry>> {
  const source = await readSource();
  const entries = new Map<string, Entry>();
  for (const each of PLATFORMS) {
    entries.set(packageName(each), { manifest: platformManifest(source, each), archive: undefined });
  }
  for (const each of [main, platform]) entries.set(each.name, await packed(each));
  return entries;
}

async function packed({ directory, archive }: Package): Promise<Entry> {
  const manifest = (await Bun.file(join(directory, "package.json")).json()) as Record<string, unknown>;
  return { manifest, archive: () => Bun.file(archive).bytes() };
}

const archives = new Map<string, Promise<Uint8Array>>();

/** A package of the checkout's node_modules, in the version that is there. */
async function installed(name: string): Promise<Entry | undefined> {
  const directory = join(INSTALLED, name);
  const file = Bun.file(join(directory, "package.json"));
  if (name === "" || name.includes("..") || !(await file.exists())) return undefined;
  const manifest = (await file.json()) as Record<string, unknown>;
  return {
    manifest,
    archive: () => {
      const known = archives.get(name) ?? archiveOf(directory);
      archives.set(name, known);
      return known;
    },
  };
}

/** An archive has its files in a folder named `package`. */
async function archiveOf(directory: string): Promise<Uint8Array> {
  const scratch = await mkdtemp(join(tmpdir(), "cronflow-archive-"));
  try {
    const isOwn = (file: string): boolean => relative(directory, file).split(sep)[0] !== "node_modules";
    await cp(directory, join(scratch, "package"), { recursive: true, dereference: true, filter: isOwn });
    const tar = Bun.spawn(["tar", "-czf", "-", "-C", scratch, "package"], { stdout: "pipe", stderr: "inherit" });
    const [bytes, code] = await Promise.all([tar.stdout.bytes(), tar.exited]);
    if (code !== 0) throw new Error(`${directory} could not be archived`);
    return bytes;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a registry says of a package that has one version. */
function packument(manifest: Record<string, unknown>, archive: Uint8Array | undefined, origin: string): object {
  const { name, version } = manifest as { name: string; version: string };
  const integrity =
    archive === undefined
      ? {}
      : { integrity: `sha512-${new Bun.CryptoHasher("sha512").update(archive).digest("base64")}` };
  const dist = { tarball: `${origin}/${name}/-/${name.split("/").at(-1)}-${version}.tgz`, ...integrity };
  return { name, "dist-tags": { latest: version }, versions: { [version]: { ...manifest, dist } } };
}
