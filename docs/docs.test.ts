/** Every program in README.md and docs/ is run as it stands. A block that is not run is not published. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
// Inside the package, so that its own name resolves.
const SCRATCH = join(ROOT, ".cache", `docs-${process.pid}`);
mkdirSync(SCRATCH, { recursive: true });
afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }));

interface Block {
  readonly language: string;
  readonly text: string;
}

function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({ language, text }));
}

const pages = [
  "README.md",
  "bench/README.md",
  ...readdirSync(import.meta.dir)
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

test("the README's program answers the README's request", async () => {
  const [program, request] = blocksOf("README.md") as [Block, Block];
  expect([program.language, request.language]).toEqual(["ts", "sh"]);
  expect(program.text.trimEnd().split("\n").length).toBeLessThanOrEqual(20);
  const file = join(SCRATCH, "readme.ts");
  await Bun.write(file, program.text);
  const child = Bun.spawn([process.execPath, file], { cwd: SCRATCH, stdout: "pipe", stderr: "inherit" });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const until = async (wanted: string): Promise<void> => {
    for (let seen = ""; !seen.includes(wanted); ) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`the program ended before it said ${wanted}`);
      seen += value;
    }
  };
  await until("listening on");
  const answer = Bun.spawnSync(["sh", "-c", request.text]).stdout.toString();
  expect(answer).toContain("202 Accepted");
  expect(answer).toMatch(/\{"runId":"run_[0-9A-Z]{13}"\}/);
  await until("order A-1: paid 20");
  child.kill("SIGTERM");
  await child.exited;
});

test("every other block is a drawing, or a command that exists", () => {
  const scripts = Object.keys(
    (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object }).scripts,
  );
  const blocks = pages.flatMap((page) => blocksOf(page).slice(page === "README.md" ? 2 : 0));
  for (const { language, text } of blocks) {
    expect(["", "sh"]).toContain(language);
    for (const [, script] of text.matchAll(/npm (?:run )?(\w+)/g)) expect(scripts).toContain(script as string);
  }
  expect(blocks.length).toBeGreaterThan(0);
});

test("files that the pages name exist", () => {
  for (const page of pages) {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [, target] of text.matchAll(/\]\((?!http)([^)#]+)\)/g)) {
      expect(`${page}: ${target}: ${Bun.file(join(ROOT, page, "..", target as string)).size > 0}`).toEndWith("true");
    }
    for (const [, path] of text.matchAll(/`((?:native|runtime|bench|docs|examples)\/[\w./-]*\.\w+)`/g)) {
      expect(`${page}: ${path}: ${Bun.file(join(ROOT, path as string)).size > 0}`).toEndWith("true");
    }
  }
});
