/** SQLite, and a real PostgreSQL. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { secret } from "cronflow-ffi";
import { testEngine } from "../../runtime/testing/engines.ts";
import { called, thrownBy } from "../lib/called.testing.ts";
import { sql } from "./index.ts";
import { type Postgres, startPostgres } from "./postgres.testing.ts";

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 300_000);
afterAll(() => postgres.stop());

const urlOf = { SQLite: () => "sqlite://:memory:", PostgreSQL: () => postgres.url };
type Database = keyof typeof urlOf;

const ODD = "x'); DROP TABLE people; --";

test.each<Database>(["SQLite", "PostgreSQL"])(
  "%s: rows go in and come out, parameters are no text",
  async (database) => {
    const { query, execute, transaction } = await called(sql.withConfig({ config: { url: urlOf[database]() } }));
    await execute`CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, at TEXT)`;
    expect(await execute`INSERT INTO people VALUES (${1}, ${ODD}, ${null}), (${2}, ${"b"}, ${"now"})`).toEqual({
      count: 2,
    });
    const rows = await query<{ id: number; name: string }>`SELECT * FROM people WHERE name = ${ODD}`;
    expect(rows).toEqual([{ id: 1, name: ODD, at: null } as { id: number; name: string }]);
    expect(Array.isArray(rows) && Object.keys(rows)).toEqual(["0"]);

    const moved = await transaction(async (inside) => {
      await inside.execute`UPDATE people SET name = ${"c"} WHERE id = ${2}`;
      return inside.query<{ name: string }>`SELECT name FROM people WHERE id = ${2}`;
    });
    expect(moved).toEqual([{ name: "c" }]);
    const error = await thrownBy(() =>
      transaction(async (inside) => {
        await inside.execute`DELETE FROM people`;
        throw new RangeError("no");
      }),
    );
    expect(error).toMatchObject({ message: "sql.transaction: no", cause: expect.any(RangeError) });
    expect(await query`SELECT id FROM people ORDER BY id`).toEqual([{ id: 1 }, { id: 2 }]);
    const broken = await thrownBy(() => query`SELEC`);
    expect(broken).toMatchObject({ code: database === "SQLite" ? "SQLITE_ERROR" : "ERR_POSTGRES_SYNTAX_ERROR" });
    await execute`DROP TABLE people`;
  },
);

test.each<Database>(["SQLite", "PostgreSQL"])(
  "%s: what is done meanwhile is no part of a transaction",
  async (database) => {
    const { query, execute, transaction } = await called(sql.withConfig({ config: { url: urlOf[database]() } }));
    await execute`CREATE TABLE meanwhile (n INTEGER)`;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: told, resolve: tell } = Promise.withResolvers<void>();
    const rolledBack = thrownBy(() =>
      transaction(async (inside) => {
        await inside.execute`INSERT INTO meanwhile VALUES (1)`;
        begin();
        await told;
        throw new RangeError("no");
      }),
    );
    await begun;
    const others = [
      execute`INSERT INTO meanwhile VALUES (2)`,
      transaction((inside) => inside.execute`INSERT INTO meanwhile VALUES (3)`),
    ];
    tell();
    await Promise.all([rolledBack, ...others]);
    expect(await query`SELECT n FROM meanwhile ORDER BY n`).toEqual([{ n: 2 }, { n: 3 }]);
    await execute`DROP TABLE meanwhile`;
  },
);

test("a call that would wait for its own transaction is refused", async () => {
  const { query, transaction } = await called(sql.withConfig({ config: { url: "sqlite://:memory:" } }));
  const error = await thrownBy(() => transaction(async () => query`SELECT 1`));
  expect(error.message).toContain("inside of a transaction use what it is given");
  expect(await query`SELECT 1 AS n`).toEqual([{ n: 1 }]);
});

test("rows are recorded as they are, and a secret url is not told", async () => {
  process.env["CRONFLOW_TEST_DATABASE"] = postgres.url;
  const engine = testEngine();
  const database = sql.withConfig({ config: { url: secret("env:CRONFLOW_TEST_DATABASE") }, as: "db" });
  const workflow = engine
    .define({ id: "w", services: [database] })
    .step("read", (ctx) => ctx.services.db.query<{ n: number; at: Date }>`SELECT 1 AS n, to_timestamp(0) AS at`)
    .step("next", (ctx) => ctx.last.map(({ n, at }) => `${n} ${at}`));
  await engine.start();
  expect(await engine.execute(workflow)).toEqual(["1 1970-01-01T00:00:00.000Z"]);
});

test("a server that is not there is an error of the call, not of the start", async () => {
  const url = "postgres://u:p@127.0.0.1:1/x";
  const { query } = await called(sql.withConfig({ config: { url, connectSeconds: 2 } }));
  expect(await thrownBy(() => query`SELECT 1`)).toMatchObject({
    code: expect.stringMatching(/^ERR_POSTGRES_CONNECTION/),
  });
});
