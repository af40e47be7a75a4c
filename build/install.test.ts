/** A user's first minutes: an empty folder, `bun add`, a program, an answer over HTTP. */
import { expect, test } from "bun:test";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { platformName } from "../runtime/native/platform.ts";
import { CleanRoom, type CleanRoomOptions, type Ended } from "./clean-room.ts";
import { platform } from "./platforms.ts";
import { packForTests, readmeProgram } from "./testing.ts";

const packed = await packForTests();
const BUN = process.execPath;

/** Starts a run over HTTP, waits for its end, and says what came. */
const PROGRAM = `
import { cronflow } from "cronflow-ffi";

cronflow.define({ id: "greet" }).onWebhook("/greet").step("say", () => "hello");
await cronflow.start({ port: 0, hostname: "127.0.0.1", database: "./greet.db", auth: { bearer: "t".repeat(32) } });
const response = await fetch(new URL("/greet", cronflow.url), { method: "POST" });
const { runId } = (await response.json()) as { runId: string };
console.log(response.status, await cronflow.result(runId));
await cronflow.stop();
`;
const SAID: Ended = { stdout: "202 hello\n", stderr: "", code: 0 };

async function project(options: CleanRoomOptions = {}): Promise<CleanRoom> {
  const room = await CleanRoom.open(packed, options);
  await room.add("cronflow-ffi", "zod");
  await room.write("app.ts", PROGRAM);
  return room;
}

test.each(["hoisted", "isolated"] as const)("bun add, bun run, an answer: %s", async (linker) => {
  await using room = await project({ linker });
  expect(await room.run([BUN, "run", "app.ts"])).toEqual(SAID);
  // Of the packages of platforms only the one that fits was fetched.
  expect(room.registry.downloads.filter((name) => name.startsWith("cronflow-ffi-"))).toEqual([packed.platform.name]);
});

test("npm install puts the same there", async () => {
  await using room = await CleanRoom.open(packed);
  await room.write("app.ts", PROGRAM);
  const install = ["npm", "install", "--no-audit", "--no-fund", "--registry", room.registry.url, packed.main.name];
  expect((await room.run(install)).code).toBe(0);
  expect(await room.run([BUN, "run", "app.ts"])).toEqual(SAID);
  expect(room.registry.downloads.filter((name) => name.startsWith("cronflow-ffi-"))).toEqual([packed.platform.name]);
});

test("the README's program answers", async () => {
  await using room = await project();
  await room.write("readme.ts", (await readmeProgram()).replace("port: 3000", "port: 0"));
  const child = room.spawn([BUN, "run", "readme.ts"]);
  let said = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    const [, url] = /listening on (\S+)\n/.exec(said) ?? [];
    if (url !== undefined) {
      const body = JSON.stringify({ orderId: "A-1", amount: 20 });
      const headers = { "content-type": "application/json" };
      const response = await fetch(new URL("/webhooks/orders", url), { method: "POST", headers, body });
      expect(response.status).toBe(202);
      said = "";
    }
    if (said.includes("order A-1: paid 20")) child.kill("SIGTERM");
  }
  await child.exited;
  expect(said).toContain("order A-1: paid 20");
});

test("the test kit and the services come with it", async () => {
  await using room = await project();
  await room.write(
    "greet.test.ts",
    `import { expect, test } from "bun:test";
     import { createCronflow } from "cronflow-ffi";
     import { http } from "cronflow-ffi/services/http";
     const nap = createCronflow().define({ id: "nap" }).manual().sleep("1d").step("wake", () => http.id);
     test("a day's sleep", async () => {
       await nap.test().trigger({}).advance("1d").expectRun().toCompleteWith("http").run();
       expect(nap.id).toBe("nap");
     });`,
  );
  const { stderr, code } = await room.run([BUN, "test"]);
  expect({ stderr, code }).toEqual({ stderr: expect.stringContaining(" 1 pass"), code: 0 });
});

test.each([
  ["bundler", "Preserve"],
  ["NodeNext", "NodeNext"],
])(
  "a strict compiler that also checks libraries and writes declarations is content: %s",
  async (resolution, module) => {
    await using room = await project();
    await room.add("bun-types");
    await room.write("readme.ts", await readmeProgram());
    await room.write("workflows.ts", await Bun.file(join(import.meta.dir, "declarations.testing.ts")).text());
    const { exports } = (await Bun.file(join(packed.main.directory, "package.json")).json()) as { exports: object };
    const subpaths = Object.keys(exports).filter((subpath) => subpath !== "./package.json");
    const imports = subpaths.map((subpath, index) => `export * as all${index} from "cronflow-ffi${subpath.slice(1)}";`);
    await room.write("everything.ts", imports.join("\n"));
    const compilerOptions = {
      ...{ module, moduleResolution: resolution, target: "ESNext", lib: ["ESNext"], types: ["bun-types"] },
      ...{ strict: true, skipLibCheck: false, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
      ...{ noImplicitOverride: true, noPropertyAccessFromIndexSignature: true, verbatimModuleSyntax: true },
      ...{ noUnusedLocals: true, noUnusedParameters: true, isolatedModules: true, isolatedDeclarations: false },
    };
    const compiler = join(import.meta.dir, "..", "node_modules", ".bin", "tsc");
    const compile = async (options: object, include: string): Promise<Ended> => {
      const settings = { compilerOptions: { ...compilerOptions, ...options }, include: [include] };
      await room.write("tsconfig.json", JSON.stringify(settings));
      return room.run([BUN, compiler, "--project", "."]);
    };
    const content: Ended = { stdout: "", stderr: "", code: 0 };
    const written = { composite: true, emitDeclarationOnly: true, rootDir: ".", outDir: "declarations" };
    expect(await compile(written, "*.ts")).toEqual(content);
    // What was written is what another project reads.
    expect(await Bun.file(join(room.directory, "declarations", "workflows.d.ts")).exists()).toBe(true);
    expect(await compile({ noEmit: true }, "declarations/*.d.ts")).toEqual(content);
  },
  60_000,
);

test("a program that a bundler has made needs nothing but what lies beside it", async () => {
  await using room = await project();
  const { code } = await room.run([BUN, "build", "app.ts", "--target=bun", "--outdir=out"]);
  expect(code).toBe(0);
  await rm(join(room.directory, "node_modules"), { recursive: true });
  expect(await room.run([BUN, "out/app.js"])).toEqual(SAID);
});

test("errors keep their names, whatever a bundler calls their classes", async () => {
  await using room = await project();
  await room.write(
    "names.ts",
    `import * as all from "cronflow-ffi";
     const classes = Object.entries(all).filter(([, value]) => (value as { prototype?: unknown }).prototype instanceof Error);
     for (const [name, Class] of classes as [string, new (...given: unknown[]) => Error][]) {
       const given = { ServiceConfigError: ["id", []], RunError: ["run", "failed", new Error("why")] }[name];
       console.log(name, new Class(...(given ?? ["closed", "why"])).name);
     }`,
  );
  expect((await room.run([BUN, "build", "names.ts", "--target=bun", "--minify", "--outdir=out"])).code).toBe(0);
  const { stdout, stderr } = await room.run([BUN, "out/names.js"]);
  expect(stderr).toBe("");
  const names = stdout.trim().split("\n");
  expect(names.length).toBeGreaterThan(12);
  expect(names.filter((line) => new Set(line.split(" ")).size > 1)).toEqual([]);
});

test("without its platform's package it says what is missing and how to get it", async () => {
  await using room = await project();
  await rm(join(room.directory, "node_modules", packed.platform.name), { recursive: true });
  const { stderr, code } = await room.run([BUN, "run", "app.ts"]);
  expect(code).toBe(1);
  expect(stderr).toContain(`The native library of cronflow-ffi for ${platformName()} was not found`);
  expect(stderr).toContain(`bun add --optional ${packed.platform.name}@${packed.platform.version}`);
});

test("a library that was exchanged for another build is refused", async () => {
  await using room = await project();
  const module = join(room.directory, "node_modules", packed.platform.name, "index.js");
  const text = await Bun.file(module).text();
  await Bun.write(`${module}.new`, text.replace(/build = "\w+"/, 'build = "0123456789abcdef"'));
  await rename(`${module}.new`, module);
  const { stderr, code } = await room.run([BUN, "run", "app.ts"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/is build [0-9a-f]{16}, its package was made with build 0123456789abcdef/);
});

test("CRONFLOW_LIBRARY wins", async () => {
  await using room = await project();
  const library = join(packed.platform.directory, platform().library);
  await rm(join(room.directory, "node_modules", packed.platform.name), { recursive: true });
  expect(await room.run([BUN, "run", "app.ts"], { CRONFLOW_LIBRARY: library })).toEqual(SAID);
});

test.each([
  ["import", ["--input-type=module", "--eval", 'import { cronflow } from "cronflow-ffi"; cronflow.define();']],
  [
    "import of the test kit",
    ["--input-type=module", "--eval", 'import { testApp } from "cronflow-ffi/testing"; testApp();'],
  ],
])("Node gets one clear sentence: %s", async (_name, given) => {
  await using room = await project();
  const { stderr, code } = await room.run(["node", ...given]);
  expect(code).toBe(1);
  expect(stderr).toContain("Error: cronflow-ffi runs on Bun 1.4 or newer, not here");
});
