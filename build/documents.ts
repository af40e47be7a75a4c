/** The documents of the package: the guide, what is generated, and `llms.txt`, the map for those who read by machine. */
import { join, posix } from "node:path";

const ROOT = join(import.meta.dir, "..");
const LINK = /\[([^\]]+)\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g;

/** A sentence after another one that ends with its one link: it says where to read on, and nothing else. */
const POINTER = /(?<=[.!?])\s(?:[^.[\]\n]|\.(?!\s)|\n(?!\n))*\[[^\]]+\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)\./g;
/** A section of the README that can be done in a checkout only. */
const OF_CHECKOUT = "Try it";

/** Copies the documents into the package. */
export async function copyDocuments(directory: string): Promise<void> {
  const documents = ["README.md", "CHANGELOG.md", ...(await pages())];
  for (const document of documents) {
    await Bun.write(join(directory, document), await mended(document, documents));
  }
  await Bun.write(join(directory, "LICENSE"), Bun.file(join(ROOT, "LICENSE")));
  await Bun.write(join(directory, "native/include/cronflow.h"), Bun.file(join(ROOT, "native/include/cronflow.h")));
  await Bun.write(join(directory, "llms.txt"), llms(await mended("README.md", documents), await links()));
}

/** A document without what leads out of the package: a sentence that only points there goes, another link becomes text. */
async function mended(document: string, documents: readonly string[]): Promise<string> {
  const text = (await Bun.file(join(ROOT, document)).text()).replace(sectionOf(OF_CHECKOUT), "");
  const shipped = (target: string): boolean => documents.includes(posix.join(posix.dirname(document), target));
  return text
    .replace(POINTER, (sentence, target: string) => (shipped(target) ? sentence : ""))
    .replace(LINK, (link, label: string, target: string) => (shipped(target) ? link : label));
}

/** Matches a section from its title to the next one. */
function sectionOf(title: string): RegExp {
  return new RegExp(`^## ${title}\\n[\\s\\S]*?(?=^## |(?![\\s\\S]))`, "m");
}

async function pages(): Promise<string[]> {
  const guide = await Array.fromAsync(new Bun.Glob("docs/guide/*.md").scan(ROOT));
  const paths = guide.map((path) => path.replaceAll("\\", "/")).sort();
  return [...paths, "docs/ARCHITECTURE.md", "docs/errors.md", "docs/limits.md"];
}

/** What it is, its first program, what it promises and has, from the README; then where to read on. */
function llms(readme: string, links: readonly string[]): string {
  const [title = "", summary = ""] = readme.split("\n\n");
  const program = /^```ts\n[\s\S]*?^```$/m.exec(readme)?.[0] ?? "";
  const parts = [
    title,
    `> ${summary}`,
    program,
    section(readme, "What is guaranteed"),
    section(readme, "What there is"),
  ];
  return `${[...parts, "## Read on", links.join("\n")].join("\n\n")}\n`;
}

/** A section of the README, without its links and the licence's name at the end. */
function section(readme: string, title: string): string {
  const [text = ""] = sectionOf(title).exec(readme) ?? [];
  return text
    .replace(LINK, "$1")
    .replace(/\nMIT\n$/, "")
    .trimEnd();
}

async function links(): Promise<string[]> {
  return [
    "- [Types of the public API](dist/runtime/index.d.ts): each with its meaning, units, defaults and errors",
    ...(await Promise.all((await pages()).map(entry))),
    "- [Header of the native library](native/include/cronflow.h): six C functions, JSON in, JSON out",
  ];
}

async function entry(path: string): Promise<string> {
  const [title = ""] = (await Bun.file(join(ROOT, path)).text()).split("\n");
  return `- [${title.replace("# ", "")}](${path})`;
}
