/**
 * Single-file executables as a user makes and runs them: compiled in a project where the packages are installed, moved
 * away alone, the project removed; then in every place that is hard to live in.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platform } from "./platforms.ts";
import { compile, type Executable, packOtherBuild } from "./single-file/compile.ts";
import {
  asNobody,
  both,
  type Hardship,
  inEmptyRoot,
  noExec,
  type Prefix,
  withoutMemoryFiles,
  withoutProc,
} from "./single-file/hardships.ts";
import { audit, killAgainAndAgain } from "./single-file/kills.ts";
import { ended, Running, type Surroundings } from "./single-file/running.ts";
import { packForTests } from "./testing.ts";

const KILLS = Number(process.env["KILLS"] ?? 12);
/** What `bun build --compile` is told for each of them. */
const EXECUTABLES = {
  plain: ["service.ts"],
  minify: ["service.ts", "--minify"],
  bytecode: ["service.ts", "--bytecode", "--format=esm"],
  "minify-bytecode": ["service.ts", "--minify", "--bytecode", "--format=esm"],
  sourcemap: ["service.ts", "--sourcemap"],
  everything: ["service.ts", "--minify", "--bytecode", "--format=esm", "--sourcemap", "--splitting"],
  killed: ["host.ts"],
  workers: ["workers.ts", "worker.ts", "--splitting"],
} as const;
const MODES = ["plain", "minify", "bytecode", "minify-bytecode", "sourcemap", "everything"] as const;

/** Everything that is made here; open to every user, as what is installed is. */
const shelf = mkdtempSync(join(tmpdir(), "cronflow-single-file-"));
chmodSync(shelf, 0o755);
afterAll(() => rmSync(shelf, { recursive: true, force: true }));

/** A new folder. */
function folder(name: string, mode = 0o755): string {
  const path = join(shelf, `${name}-${crypto.randomUUID()}`);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

const packed = await packForTests();
const executables = await compile(packed, EXECUTABLES, folder("executables"));
const { plain, workers, killed } = executables;
const otherPacked = await packOtherBuild(packed.platform, folder("packages"));
const { other } = await compile(otherPacked, { other: EXECUTABLES.everything }, folder("executables"));

const LIBRARY = join(packed.platform.directory, platform().library);

const nobody = asNobody();
const noFiles = withoutMemoryFiles(folder("filter"));

/** A test behind a prefix; where that cannot be had, it is skipped and says why. */
function testBehind(prefix: Hardship, name: string, body: (prefix: Prefix) => Promise<void>): void {
  if (typeof prefix === "string") test.skip(`${name} (not here: ${prefix})`, () => {});
  else test(name, () => body(prefix));
}

/** An order is acknowledged and done, and the service stops when it is asked to. */
async function takesAnOrder(command: readonly string[], surroundings: Surroundings): Promise<void> {
  await using running = await Running.start(command, surroundings);
  const { status, runId } = await running.post("/orders", { parcels: ["lamp", "bulb"] });
  expect(status).toBe(202);
  await running.prints(`done ${runId}\n`);
  expect(await running.stop()).toBe("SIGTERM");
}

/** What it says when it cannot start. */
async function refuses(command: readonly string[], surroundings: Surroundings): Promise<string> {
  const { stderr, code } = await ended(command, surroundings);
  expect(code).not.toBe(0);
  return stderr;
}

describe.each(MODES)("%s", (mode) => {
  const { file, alone } = executables[mode];
  test("alone in its folder it takes an order, and leaves nothing behind but the database", async () => {
    const [data, temporary] = [folder("data"), folder("temporary")];
    await takesAnOrder([file], { cwd: alone, environment: { DATABASE: join(data, "orders.db"), TMPDIR: temporary } });
    expect(readdirSync(alone)).toEqual(["service"]);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(data)).toContain("orders.db");
  });

  testBehind(nobody, "as another user, where it may write to nothing but the database's folder", async (prefix) => {
    const [data, readOnly] = [folder("data", 0o777), folder("temporary")];
    expect((await ended([...prefix, "touch", join(readOnly, "x")], { cwd: alone })).code).not.toBe(0);
    await takesAnOrder([...prefix, file, join(data, "orders.db")], { cwd: alone, environment: { TMPDIR: readOnly } });
  });

  test("what the process is told of its mode counts, not what the build was", async () => {
    const environment = { NODE_ENV: "production", DATABASE: join(folder("data"), "orders.db") };
    expect(await refuses([file], { cwd: alone, environment })).toContain("in production it must be said who may send");
  });

  const temporary = folder("temporary");
  testBehind(noExec(temporary), "with a temporary folder from which nothing can be executed", async (prefix) => {
    const data = folder("data");
    await takesAnOrder([...prefix, file, join(data, "orders.db")], { cwd: alone, environment: { TMPDIR: temporary } });
  });
});

describe("where files in memory are refused", () => {
  testBehind(noFiles, "Bun's way is taken: a file in the temporary folder", async (prefix) => {
    const [data, temporary] = [folder("data"), folder("temporary")];
    const surroundings = { cwd: data, environment: { TMPDIR: temporary } };
    for (const { file } of [plain, plain, other]) await takesAnOrder([...prefix, file], surroundings);
    expect(readdirSync(temporary)).toHaveLength(2); // One for each build.
  });

  testBehind(noFiles, "a file there that was replaced by another of the same size is noticed", async (prefix) => {
    const [data, temporary] = [folder("data"), folder("temporary")];
    const surroundings = { cwd: data, environment: { TMPDIR: temporary } };
    await takesAnOrder([...prefix, other.file], surroundings);
    const [name] = readdirSync(temporary) as [string];
    const foreign = join(temporary, name);
    copyFileSync(LIBRARY, foreign);
    expect(await refuses([...prefix, other.file], surroundings)).toContain("the file was replaced");
    await takesAnOrder([other.file], surroundings); // In memory it is the right one.
  });

  const message =
    "The native library of cronflow-ffi inside this executable could not be opened. In memory: memfd_create: EPERM. ";
  testBehind(
    both(nobody, noFiles),
    "and the temporary folder is read-only, it says so, and takes a copy elsewhere",
    async (prefix) => {
      const [data, readOnly] = [folder("data", 0o777), folder("temporary")];
      const copy = join(readOnly, platform().library);
      copyFileSync(LIBRARY, copy);
      const surroundings = { cwd: data, environment: { TMPDIR: readOnly } };
      const said = await refuses([...prefix, plain.file], surroundings);
      expect(said).toContain(
        `${message}In ${readOnly}: Bun could not write it there. If the folder is the reason, set BUN_TMPDIR`,
      );
      for (const environment of [
        { TMPDIR: readOnly, BUN_TMPDIR: data },
        { TMPDIR: readOnly, CRONFLOW_LIBRARY: copy },
      ])
        await takesAnOrder([...prefix, plain.file], { cwd: data, environment });
    },
  );

  const temporary = folder("temporary");
  testBehind(
    both(noExec(temporary), noFiles),
    "and nothing can be executed from the temporary folder, it says so",
    async (prefix) => {
      const said = await refuses([...prefix, plain.file], { cwd: folder("data"), environment: { TMPDIR: temporary } });
      expect(said).toContain(`${message}In ${temporary}: `);
      expect(said).toContain("failed to map segment from shared object. If the folder is the reason, set BUN_TMPDIR");
    },
  );
});

describe("two builds", () => {
  test("side by side each has its own library, and a database has one of them", async () => {
    const [data, temporary] = [folder("data"), folder("temporary")];
    const start = ({ file, alone }: Executable, database: string): Promise<Running> =>
      Running.start([file, join(data, database)], { cwd: alone, environment: { TMPDIR: temporary } });
    await using one = await start(plain, "one.db");
    await using two = await start(other, "two.db");
    const answers = await Promise.all([one, two].map((running) => running.post("/orders", { parcels: ["lamp"] })));
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    await Promise.all([one.prints(answers[0]?.runId as string), two.prints(answers[1]?.runId as string)]);
    const third = await refuses([other.file, join(data, "one.db")], { cwd: data });
    expect(third).toContain(`is owned by process ${one.process.pid}; one process at a time can open it`);
  });

  test("the second takes over the database of the first, and its open runs", async () => {
    const database = join(folder("data"), "orders.db");
    const first = await Running.start([plain.file, database], { cwd: plain.alone });
    const { runId } = await first.post("/orders", { parcels: ["lamp"], cooling: "300ms" });
    expect(await first.stop()).toBe("SIGTERM");
    await using second = await Running.start([other.file, database], { cwd: other.alone });
    await second.prints(`done ${runId}\n`);
  });
});

test("Workers of one executable share nothing but the process: a database has one engine", async () => {
  const data = folder("data");
  const { stdout, stderr } = await ended([workers.file, join(data, "a.db"), join(data, "b.db")], {
    cwd: workers.alone,
  });
  expect({ stderr, said: JSON.parse(stdout) as unknown }).toEqual({
    stderr: "",
    said: {
      together: ["database_owned", "database_owned", "database_owned", "hello"],
      later: "database_owned",
      elsewhere: "hello",
    },
  });
});

test(`nothing acknowledged is lost in ${KILLS} kills`, async () => {
  const data = folder("data");
  const [database, effects] = [join(data, "orders.db"), join(data, "effects.log")];
  const start = (): Promise<Running> => Running.start([killed.file, database, effects], { cwd: killed.alone });
  const acknowledged = await killAgainAndAgain(start, KILLS, database);
  const { orders, interrupted, faults } = await audit(database, effects, acknowledged);
  expect(faults).toEqual([]);
  expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS);
  expect(orders).toBeGreaterThanOrEqual(acknowledged.size);
  expect(interrupted).toBeGreaterThan(0); // The kills did hit something.
}, 300_000);

const root = folder("root");
testBehind(
  inEmptyRoot(root, [plain.file, LIBRARY]),
  "in a root with the C library and /proc, and nothing else",
  async (prefix) => {
    copyFileSync(plain.file, join(root, "service"));
    await takesAnOrder([...prefix, "/service", "/orders.db"], { cwd: root });
    expect(
      readdirSync(root)
        .filter((name) => !/^(lib\d*|usr)$/.test(name))
        .sort(),
    ).toEqual(["orders.db", "orders.db-key", "orders.db-owner", "proc", "service"]);
  },
);

testBehind(withoutProc(), "without /proc no executable of Bun starts, ours as little as any", async (prefix) => {
  const data = folder("data");
  writeFileSync(join(data, "hello.ts"), 'console.log("hello");');
  const built = await ended([process.execPath, "build", "--compile", "hello.ts", "--outfile=hello"], { cwd: data });
  expect(built.code).toBe(0);
  for (const file of [join(data, "hello"), plain.file]) {
    expect(await refuses([...prefix, file], { cwd: data })).toContain("oh no: Bun has crashed");
  }
});
