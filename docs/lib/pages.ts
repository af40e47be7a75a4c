/** The pages, and the fenced blocks in them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "..", "..");

/** Pages whose blocks are all run. */
export const GUIDE: readonly string[] = pagesIn("docs/guide");
/** Pages with drawings and commands. */
export const OTHERS: readonly string[] = ["README.md", "bench/README.md", ...pagesIn("docs")];

function pagesIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md"));
  return names.sort().map((name) => `${folder}/${name}`);
}

export function textOf(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** A fenced block. */
export interface Block {
  /** Its page and line. */
  readonly name: string;
  readonly page: string;
  readonly language: string;
  readonly text: string;
  /** What its first line calls it, like `// orders.ts`: other blocks of the page use that file. */
  readonly file: string | undefined;
  /** What it prints: the `text` block after the `Output:` that follows it. */
  readonly output: string | undefined;
}

const FENCED = /^```(\w*)\n([\s\S]*?)^```$(?:\n+Output:\n+```text\n([\s\S]*?)^```$)?/gm;

/** The blocks of a page. What one prints belongs to it and is none of its own. */
export function blocksOf(page: string): Block[] {
  const whole = textOf(page);
  return [...whole.matchAll(FENCED)].map(({ index, 1: language = "", 2: text = "", 3: output }) => ({
    name: `${page}:${whole.slice(0, index).split("\n").length}`,
    page,
    language,
    text,
    file: /^\/\/ ([\w-]+\.\w+)\n/.exec(text)?.[1],
    output,
  }));
}

/** The commands of a page, in order. */
export function commandsOf(page: string): Block[] {
  return blocksOf(page).filter(({ language }) => language === "sh");
}

/** Whether a command of its page does something with the file. */
export function isUsedByCommands({ page, file }: Block): boolean {
  return file !== undefined && commandsOf(page).some(({ text }) => text.includes(file));
}

/** The TypeScript of a page that Bun runs as it stands. What a command of the page builds or runs is left to that. */
export function programsOf(page: string): Block[] {
  return blocksOf(page).filter((block) => block.language === "ts" && !isUsedByCommands(block));
}

/** The file that a block of code is written to. */
export function fileOf(block: Block): string {
  return block.file ?? `${block.name.split(":")[1]}.${block.language}`;
}
