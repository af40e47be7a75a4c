/** Every program in README.md and docs/ is run as it stands. A block that is not run is not published. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

function pagesIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".md"));
  return names.sort().map((name) => `${folder}/${name}`);
}

const guide = pagesIn("docs/guide");
const pages = ["README.md", "bench/README.md", ...pagesIn("docs")];

/** A program of the guide, as a file of its own, and what the page says it prints. */
interface Program {
  readonly name: string;
  readonly file: string;
  readonly output: string | undefined;
}

/** Every `ts` block of a page, with the `text` block that follows an `Output:`. */
function programsOf(page: string): Program[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const found = text.matchAll(/^```ts\n([\s\S]*?)^```$(?:\n+Output:\n+```text\n([\s\S]*?)^```$)?/gm);
  return [...found].map(([, program = "", output], index) => {
    const line = text.slice(0, text.indexOf(program)).split("\n").length;
    const folder = join(SCRATCH, page.replaceAll(/\W/g, "-"));
    mkdirSync(folder, { recursive: true });
    // A program that begins with the name of a file is imported by the others of its page.
    const file = join(folder, /^\/\/ (\w+\.ts)\n/.exec(program)?.[1] ?? `${index + 1}.ts`);
    writeFileSync(file, program);
    return { name: `${page}:${line}`, file, output };
  });
}

const programs = guide.flatMap(programsOf);

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

test.concurrent.each(programs)("$name runs, and prints what the page says", async ({ file, output }) => {
  const child = Bun.spawn([process.execPath, file], { cwd: SCRATCH, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect({ stdout, stderr, code }).toEqual({ stdout: output ?? "", stderr: "", code: 0 });
});

test("every program of the guide is what the compiler takes", async () => {
  const config = join(SCRATCH, "tsconfig.json");
  const paths = { "cronflow-ffi": [join(ROOT, "runtime/index.ts")] };
  await Bun.write(
    config,
    JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions: { paths }, include: [SCRATCH] }),
  );
  const { stdout } = Bun.spawnSync([process.execPath, join(ROOT, "node_modules/.bin/tsc"), "--project", config], {
    cwd: ROOT,
  });
  expect(stdout.toString()).toBe("");
}, 60_000);

test("every block of the guide is a program, or what one prints", () => {
  for (const page of guide) {
    const blocks = blocksOf(page);
    const printed = programsOf(page).filter(({ output }) => output !== undefined).length;
    expect(blocks.every(({ language }) => language === "ts" || language === "text")).toBe(true);
    expect(blocks.filter(({ language }) => language === "text")).toHaveLength(printed);
  }
  expect(programs.length).toBeGreaterThan(0);
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
  for (const page of [...pages, ...guide]) {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [, target] of text.matchAll(/\]\((?!http)([^)#]+)\)/g)) {
      expect(`${page}: ${target}: ${Bun.file(join(ROOT, page, "..", target as string)).size > 0}`).toEndWith("true");
    }
    for (const [, path] of text.matchAll(/`((?:native|runtime|bench|docs|examples)\/[\w./-]*\.\w+)`/g)) {
      expect(`${page}: ${path}: ${Bun.file(join(ROOT, path as string)).size > 0}`).toEndWith("true");
    }
  }
});
