/** Databases that cannot be opened, and disks that fill up. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { closeSync, copyFileSync, existsSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createCronflow } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "./testing/engines.ts";

function refusal(database: string): Promise<unknown> {
  const engine = createCronflow({ database });
  engine.define({ id: "w" }).step("x", () => 1);
  return engine.start().then(
    () => engine.stop().then(() => "opened"),
    (error) => error,
  );
}

test("a directory, a text file, a foreign and a newer database are refused, each with its reason", async () => {
  const directory = temporaryDirectory();
  expect(await refusal(directory)).toMatchObject({
    code: "path_invalid",
    message: expect.stringContaining("is a directory"),
  });
  await Bun.write(join(directory, "text.db"), "just some text, not a database at all. ".repeat(50));
  expect(await refusal(join(directory, "text.db"))).toMatchObject({ code: "not_a_database" });
  const foreign = new Database(join(directory, "foreign.db"));
  foreign.run("CREATE TABLE mine (x)");
  foreign.close();
  expect(await refusal(join(directory, "foreign.db"))).toMatchObject({ code: "database_foreign" });
  const newer = join(directory, "newer.db");
  expect(await refusal(newer)).toBe("opened");
  const future = new Database(newer);
  future.run("PRAGMA user_version = 999");
  future.close();
  expect(await refusal(newer)).toMatchObject({
    code: "database_newer",
    message: expect.stringContaining("use a newer cronflow-ffi"),
  });
  expect(await refusal(join(directory, "text.db", "below", "x.db"))).toMatchObject({ code: "path_invalid" });
});

test("the file is its owner's alone, on disk and while it is open", async () => {
  const database = join(temporaryDirectory(), "deep", "owned.db");
  const engine = testEngine({ database });
  engine.define({ id: "w" }).step("x", () => 1);
  await engine.start();
  // Windows has no modes.
  if (process.platform !== "win32") {
    expect(statSync(database).mode & 0o777).toBe(0o600);
    expect(statSync(join(database, "..")).mode & 0o777).toBe(0o700);
  }
  const owned = { code: "database_owned", message: expect.stringContaining(`owned by process ${process.pid}`) };
  expect(await refusal(database)).toMatchObject(owned);
  const other = Bun.spawnSync(
    [
      process.execPath,
      "-e",
      `import { createCronflow } from "cronflow-ffi"; await createCronflow({ database: ${JSON.stringify(database)} }).start();`,
    ],
    {
      cwd: join(import.meta.dir, ".."),
    },
  );
  expect(other.stderr.toString()).toContain(`owned by process ${process.pid}`);
  await engine.stop();
  expect(await refusal(database)).toBe("opened");
});

/** On macOS locks do not hold within a process (docs/ARCHITECTURE.md, "Storage"). */
const testWhereLocksHold = test.skipIf(process.platform === "darwin");

testWhereLocksHold("who opens the database in this process or another, and closes it, takes no run away", async () => {
  const directory = temporaryDirectory();
  const database = join(directory, "cronflow.db");
  const engine = testEngine({ database });
  engine.define({ id: "w" }).step("x", () => 1);
  await engine.start();
  await engine.execute("w");
  const seen = (reader: Database): number => {
    const count = reader.query<{ runs: number }, []>("SELECT count(*) AS runs FROM workflow_runs").get();
    reader.close();
    return count?.runs ?? 0;
  };
  for (const [place, options] of [undefined, { readonly: true }, { readwrite: true }].entries()) {
    expect(seen(new Database(database, options))).toBe(2 * place + 1);
    await engine.execute("w");
    const other = Bun.spawnSync([process.execPath, "-e", OTHER_READER, database]);
    expect(other.stdout.toString()).toBe(`${2 * place + 2}\n`);
    await engine.execute("w");
  }
  // What a process death would leave: the files as they are.
  const copy = join(directory, "copy.db");
  for (const suffix of ["", "-wal"]) copyFileSync(`${database}${suffix}`, `${copy}${suffix}`);
  expect(seen(new Database(copy))).toBe(7);
  await engine.stop();
  expect(existsSync(`${database}-wal`)).toBe(false);
});

const OTHER_READER = `
const { Database } = await import("bun:sqlite");
const database = new Database(process.argv.at(-1));
console.log(database.query("SELECT count(*) AS runs FROM workflow_runs").get().runs);
database.close();
`;

test("a full disk refuses new runs with 503, keeps finished results, and goes on when there is room", async () => {
  const mount = temporaryDirectory();
  const command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount];
  if (Bun.which("mount") === null || Bun.spawnSync(command).exitCode !== 0) {
    console.log("not tested: this user may not mount a tmpfs");
    return;
  }
  const engine = testEngine({ database: join(mount, "full.db") });
  try {
    const { promise: filled, resolve } = Promise.withResolvers<void>();
    engine.define({ id: "slow" }).step("x", () => filled.then(() => "kept"));
    engine
      .define({ id: "big" })
      .onWebhook("/big")
      .step("x", () => 1);
    await engine.start();
    const waiting = await engine.trigger("slow");
    const filler = join(mount, "filler");
    const descriptor = openSync(filler, "w");
    for (const size of [65_536, 4_096, 512]) {
      const piece = Buffer.alloc(size);
      for (;;) {
        try {
          if (writeSync(descriptor, piece) < size) break;
        } catch {
          break; // Full: that is what we want.
        }
      }
    }
    closeSync(descriptor);
    const send = (): Response | Promise<Response> =>
      engine.fetch(
        new Request("http://localhost/big", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify("x".repeat(50_000)),
        }),
      );
    const refused = await send();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    resolve(); // The step ends while nothing can be recorded; its result travels with this refused start.
    await expect(engine.trigger("slow", "y".repeat(50_000))).rejects.toMatchObject({
      name: "UnavailableError",
      code: "disk_full",
    });
    rmSync(filler);
    expect(await engine.result(waiting)).toBe("kept");
    expect((await send()).status).toBe(202);
  } finally {
    await engine.stop();
    Bun.spawnSync(["umount", mount]);
  }
}, 30_000);
