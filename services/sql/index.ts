import { SQL } from "bun";
import { defineService } from "cronflow-ffi";
import { object, otherwise, text, whole } from "../lib/fields.ts";
import { AT_ONCE, Turns } from "./turns.ts";

/** A statement; `${}` are its parameters. */
export type Query = <Row = Record<string, unknown>>(
  strings: TemplateStringsArray,
  ...parameters: readonly unknown[]
) => Promise<readonly Row[]>;
/** A statement that changes something. */
export type Execute = (
  strings: TemplateStringsArray,
  ...parameters: readonly unknown[]
) => Promise<{
  /** How many rows it has changed. */
  readonly count: number;
}>;

/** What a transaction can do. */
export interface Transaction {
  /** The rows of a statement. */
  readonly query: Query;
  /** How many rows a statement has changed. */
  readonly execute: Execute;
}

/**
 * SQLite, PostgreSQL and MySQL by Bun's SQL: what stands in `${}` is a parameter, never text of the statement.
 *
 * `config`: `url`, one of `postgres://…`, `mysql://…`, `sqlite://./file.db`, `sqlite://:memory:`; `connections` at the
 * most (default 10; SQLite has one); `connectSeconds`, how long to wait for a connection (default 30; not for SQLite).
 * No `auth`: the address has it. Errors are those of Bun's SQL.
 */
export const sql = defineService({
  id: "sql",
  name: "SQL",
  version: "1",
  schema: {
    config: object({
      /** `postgres://…`, `mysql://…`, `sqlite://./file.db` or `sqlite://:memory:`. */
      url: text,
      /** Connections at the most. Default 10. */
      connections: otherwise(whole(1, 1_000), 10),
      /** Seconds to wait for a connection. Default 30. */
      connectSeconds: otherwise(whole(1, 3_600), 30),
    }),
  },
  setup: ({ config: { url, connections, connectSeconds } }) => {
    const isSqlite = /^(sqlite|file):|^:memory:$/.test(url);
    const database = new SQL(url, isSqlite ? {} : { max: connections, connectionTimeout: connectSeconds });
    const turns = isSqlite ? new Turns() : AT_ONCE;
    const { query, execute } = statements(database);
    return {
      actions: {
        /** The rows of a statement. */
        query: <Row = Record<string, unknown>>(strings: TemplateStringsArray, ...parameters: readonly unknown[]) =>
          turns.take(() => query<Row>(strings, ...parameters)),
        /** How many rows a statement has changed. */
        execute: (strings: TemplateStringsArray, ...parameters: readonly unknown[]) =>
          turns.take(() => execute(strings, ...parameters)),
        /** Commits when the function returns, rolls back when it throws. */
        transaction: <T>(work: (transaction: Transaction) => Promise<T>): Promise<T> =>
          turns.take(async () => {
            // Not inferred: what the function gives is never a list of queries.
            const result: unknown = await database.begin((connection) => work(statements(connection)));
            return result as T;
          }),
      },
      health: async () => void (await database`SELECT 1`),
      stop: () => database.close(),
    };
  },
});

/** Statements of a connection. Rows are plain values: what belongs to the driver is not recorded. */
function statements(connection: SQL): Transaction {
  return {
    query: async <Row>(strings: TemplateStringsArray, ...parameters: readonly unknown[]) => {
      const rows: Iterable<Row> = await connection(strings, ...parameters);
      return [...rows];
    },
    execute: async (strings, ...parameters) => {
      const { count }: { count: number | null } = await connection(strings, ...parameters);
      return { count: count ?? 0 };
    },
  };
}
