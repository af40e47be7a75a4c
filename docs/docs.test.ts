/** Every program in README.md and docs/ is run as it stands. A block that is not run is not published. */
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  type Block,
  blocksOf,
  commandsOf,
  fileOf,
  GUIDE,
  isUsedByCommands,
  OTHERS,
  programsOf,
  ROOT,
  textOf,
} from "./lib/pages.ts";
import { Rooms, run } from "./lib/rooms.ts";

const rooms = new Rooms();
afterAll(() => rooms[Symbol.asyncDispose]());

const programs = GUIDE.flatMap(programsOf);
const withCommands = GUIDE.filter((page) => commandsOf(page).length > 0);
const [readmeProgram, readmeRequest] = [
  blocksOf("README.md").find(({ language }) => language === "ts") as Block,
  blocksOf("README.md").find(({ language, text }) => language === "sh" && text.startsWith("curl ")) as Block,
];

test("the README's program answers the README's request", async () => {
  expect(readmeProgram.text.trimEnd().split("\n").length).toBeLessThanOrEqual(20);
  const file = join(rooms.directory, "readme.ts");
  await Bun.write(file, readmeProgram.text);
  const child = Bun.spawn([process.execPath, file], { cwd: rooms.directory, stdout: "pipe", stderr: "inherit" });
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const until = async (wanted: string): Promise<void> => {
    for (let seen = ""; !seen.includes(wanted); ) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`the program ended before it said ${wanted}`);
      seen += value;
    }
  };
  await until("listening on");
  const answer = Bun.spawnSync(["sh", "-c", readmeRequest.text]).stdout.toString();
  expect(answer).toContain("202 Accepted");
  expect(answer).toMatch(/\{"runId":"run_[0-9A-Z]{13}"\}/);
  await until("order A-1: paid 20");
  child.kill("SIGTERM");
  await child.exited;
});

test.concurrent.each(programs)(
  "$name runs, and prints what the page says",
  async (program) => {
    const ended = await run(await rooms.of(program.page), [process.execPath, fileOf(program)]);
    expect(ended).toEqual({ stdout: program.output ?? "", stderr: "", code: 0 });
  },
  30_000,
);

test.concurrent.each(withCommands)(
  "the commands of %s do what the page says, one after the other",
  async (page) => {
    for (const { name, text, output } of commandsOf(page)) {
      const { stdout, stderr, code } = await run(await rooms.of(page), ["sh", "-euc", text]);
      // What they say while they work is their own; what the page shows they must say.
      const seen = { name, code, stderr: code === 0 ? "" : stderr, stdout: output === undefined ? "" : stdout };
      expect(seen).toEqual({ name, code: 0, stderr: "", stdout: output ?? "" });
    }
  },
  60_000,
);

test("every program of the guide is what the compiler takes", async () => {
  const include = await Promise.all(GUIDE.map((page) => rooms.written(page)));
  const config = join(rooms.directory, "tsconfig.json");
  const paths = { "cronflow-ffi": [join(ROOT, "runtime/index.ts")] };
  await Bun.write(
    config,
    JSON.stringify({ extends: join(ROOT, "tsconfig.json"), compilerOptions: { paths }, include, exclude: [] }),
  );
  const { stdout } = Bun.spawnSync([process.execPath, join(ROOT, "node_modules/.bin/tsc"), "--project", config], {
    cwd: ROOT,
  });
  expect(stdout.toString()).toBe("");
}, 60_000);

test("every block of the guide is run, or is a file that is used, or what is printed", () => {
  for (const block of GUIDE.flatMap(blocksOf)) {
    const isRun = block.language === "ts" || block.language === "sh";
    const isUsed = block.language === "c" && isUsedByCommands(block);
    expect(`${block.name}: ${block.language}: ${isRun || isUsed}`).toEndWith("true");
  }
  expect(programs.length).toBeGreaterThan(0);
  expect(withCommands.length).toBeGreaterThan(0);
});

test("every other block is a drawing, or a command that exists", () => {
  const scripts = Object.keys(
    (JSON.parse(textOf("package.json")) as { scripts: Readonly<Record<string, string>> }).scripts,
  );
  const isRunAbove = ({ name }: Block): boolean => name === readmeProgram.name || name === readmeRequest.name;
  const blocks = OTHERS.flatMap(blocksOf).filter((block) => !isRunAbove(block));
  for (const { language, text } of blocks) {
    expect(["", "sh"]).toContain(language);
    for (const [, script] of text.matchAll(/npm (?:run )?(\w+)/g)) expect(scripts).toContain(script as string);
  }
  expect(blocks.length).toBeGreaterThan(0);
});

test("files that the pages name exist", () => {
  for (const page of [...OTHERS, ...GUIDE]) {
    const text = textOf(page);
    for (const [, target] of text.matchAll(/\]\((?!http)([^)#]+)\)/g)) {
      expect(`${page}: ${target}: ${Bun.file(join(ROOT, page, "..", target as string)).size > 0}`).toEndWith("true");
    }
    for (const [, path] of text.matchAll(/`((?:native|runtime|build|bench|docs|examples)\/[\w./-]*\.\w+)`/g)) {
      expect(`${page}: ${path}: ${Bun.file(join(ROOT, path as string)).size > 0}`).toEndWith("true");
    }
  }
});
