/** Programs that a user's bundler has made: they run with what lies beside them, and look nowhere else. */
import { expect, test } from "bun:test";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CleanRoom } from "./clean-room.ts";
import { platform } from "./platforms.ts";
import { packForTests } from "./testing.ts";

const packed = await packForTests();
const BUN = process.execPath;

/** A project whose program is bundled into `deep/out`, without what it was made from. */
async function bundled(program: string, ...flags: readonly string[]): Promise<CleanRoom> {
  const room = await CleanRoom.open(packed);
  await room.add("cronflow-ffi");
  await room.write("app.ts", program);
  const built = await room.run([BUN, "build", "app.ts", "--target=bun", "--outdir=deep/out", ...flags]);
  expect(built.code).toBe(0);
  await rm(join(room.directory, "node_modules"), { recursive: true });
  await rm(join(room.directory, "app.ts"));
  return room;
}

const EXECUTES = `
import { cronflow } from "cronflow-ffi";
const greet = cronflow.define({ id: "greet" }).manual().step("say", () => "hello");
await cronflow.start({ database: ":memory:" });
console.log(await cronflow.execute(greet, {}));
await cronflow.stop();
`;

test.each([[[]], [["--minify"]], [["--splitting"]], [["--public-path=/static/"]]])(
  "it runs with the library beside it: %p",
  async (flags) => {
    await using room = await bundled(EXECUTES, ...flags);
    expect(await room.run([BUN, "deep/out/app.js"])).toEqual({ stdout: "hello\n", stderr: "", code: 0 });
  },
);

test("a bundle that was copied without its library says so", async () => {
  await using room = await bundled(EXECUTES);
  for await (const file of new Bun.Glob("*.{so,dylib,dll}").scan(join(room.directory, "deep/out"))) {
    await rm(join(room.directory, "deep/out", file));
  }
  const { stderr, code } = await room.run([BUN, "deep/out/app.js"]);
  expect(code).toBe(1);
  expect(stderr).toContain("does not exist. A bundler puts the native library beside the program: copy both.");
});

test("a library in a folder that only a checkout has is not loaded", async () => {
  const room = await CleanRoom.open(packed);
  await using _ = room;
  await room.add("cronflow-ffi");
  await rm(join(room.directory, "node_modules", packed.platform.name), { recursive: true });
  await room.write("app.ts", EXECUTES);
  expect((await room.run([BUN, "build", "app.ts", "--target=bun", "--outdir=deep/out"])).code).toBe(0);
  // Two folders above the bundle, and above the package's own files.
  for (const above of [".", "node_modules/cronflow-ffi", "node_modules", "node_modules/cronflow-ffi/dist"]) {
    const folder = join(room.directory, above, "target", "release");
    await mkdir(folder, { recursive: true });
    await Bun.write(join(folder, platform().library), Bun.file(join(packed.platform.directory, platform().library)));
  }
  for (const program of ["app.ts", "deep/out/app.js"]) {
    const { stderr, code } = await room.run([BUN, program]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("was not found") });
  }
});

test("what the process is told of its mode counts, not what the build was", async () => {
  const open = `
    import { cronflow } from "cronflow-ffi";
    cronflow.define({ id: "open" }).onWebhook("/open").step("say", () => "hello");
    await cronflow.start({ port: 0, database: ":memory:" }).catch((error) => console.log(error.message));
    await cronflow.stop();`;
  for (const flags of [[], ["--minify"], ["--production"]]) {
    await using room = await bundled(open, ...flags);
    const { stdout } = await room.run([BUN, "deep/out/app.js"], { NODE_ENV: "production" });
    expect(stdout).toContain("in production it must be said who may send");
  }
});
