/** The documents of the package: the guide, what is generated, and `llms.txt`, the map for those who read by machine. */
import { dirname, join, normalize } from "node:path";

const ROOT = join(import.meta.dir, "..");
const LINK = /\[([^\]]+)\]\((?!https?:)([^)#]+)(#[^)]*)?\)/g;

/** Copies the documents into the package. A link to what is not in it becomes text. */
export async function copyDocuments(directory: string): Promise<void> {
  const documents = ["README.md", "CHANGELOG.md", ...(await pages())];
  for (const document of documents) {
    const text = await Bun.file(join(ROOT, document)).text();
    const shipped = (target: string): boolean => documents.includes(normalize(join(dirname(document), target)));
    const mended = text.replace(LINK, (link, label: string, target: string) => (shipped(target) ? link : label));
    await Bun.write(join(directory, document), mended);
  }
  await Bun.write(join(directory, "LICENSE"), Bun.file(join(ROOT, "LICENSE")));
  await Bun.write(join(directory, "native/include/cronflow.h"), Bun.file(join(ROOT, "native/include/cronflow.h")));
  await Bun.write(join(directory, "llms.txt"), await llms());
}

async function pages(): Promise<string[]> {
  const guide = await Array.fromAsync(new Bun.Glob("docs/guide/*.md").scan(ROOT));
  return [...guide.sort(), "docs/ARCHITECTURE.md", "docs/errors.md", "docs/limits.md"];
}

/** What it is, its first program, what it promises and has, from the README; then where to read on. */
async function llms(): Promise<string> {
  const readme = await Bun.file(join(ROOT, "README.md")).text();
  const [title = "", summary = ""] = readme.split("\n\n");
  const program = /^```ts\n[\s\S]*?^```$/m.exec(readme)?.[0] ?? "";
  const parts = [
    title,
    `> ${summary}`,
    program,
    section(readme, "What is guaranteed"),
    section(readme, "What there is"),
  ];
  const links = [
    "- [Types of the public API](dist/runtime/index.d.ts): each with its meaning, units, defaults and errors",
    ...(await Promise.all((await pages()).map(entry))),
    "- [Header of the native library](native/include/cronflow.h): six C functions, JSON in, JSON out",
  ];
  return `${[...parts, "## Read on", links.join("\n")].join("\n\n")}\n`;
}

/** A section of a page, without its links. */
function section(page: string, title: string): string {
  const [, after = ""] = page.split(`## ${title}\n`);
  const [body = ""] = after.split("\n## ");
  return `## ${title}\n${body.replace(LINK, "$1").trimEnd()}`;
}

async function entry(path: string): Promise<string> {
  const [title = ""] = (await Bun.file(join(ROOT, path)).text()).split("\n");
  return `- [${title.replace("# ", "")}](${path})`;
}
