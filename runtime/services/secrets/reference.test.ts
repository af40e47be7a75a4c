/** Where secrets are found, and what is said when they are not. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { InvalidError, secret } from "cronflow-ffi";
import { temporaryDirectory, testEngine } from "../../testing/engines.ts";
import { masked } from "./known.ts";
import { revealed } from "./reference.ts";

const VALUE = `value-${crypto.randomUUID()}`;

test("an environment variable, or a file without the newline at its end", async () => {
  process.env["CRONFLOW_TEST_SECRET"] = VALUE;
  expect(secret("env:CRONFLOW_TEST_SECRET").reveal()).toBe(VALUE);
  const file = join(temporaryDirectory(), "secret");
  await Bun.write(file, `from a file ${VALUE}\n`);
  expect(secret(`file:${file}`).reveal()).toBe(`from a file ${VALUE}`);
  expect(masked(`<from a file ${VALUE}> <${VALUE}>`)).toBe("<[secret]> <[secret]>");
});

test("whatever shows a reference shows where the secret is found", () => {
  process.env["CRONFLOW_TEST_SECRET"] = VALUE;
  const found = secret("env:CRONFLOW_TEST_SECRET");
  expect(found.reveal()).toBe(VALUE);
  const shown = "secret(env:CRONFLOW_TEST_SECRET)";
  expect([`${found}`, JSON.stringify({ found }), Bun.inspect(found), Object.keys(found)]).toEqual([
    shown,
    JSON.stringify({ found: shown }),
    shown,
    [],
  ]);
});

test("a secret that is missing, empty or short is an error that names it, and does not show it", () => {
  expect(() => secret("env:CRONFLOW_TEST_MISSING").reveal()).toThrow(
    "secret(env:CRONFLOW_TEST_MISSING) is missing: the environment variable is not set.",
  );
  expect(() => secret("file:/nowhere/at/all").reveal()).toThrow("secret(file:/nowhere/at/all) is missing: ENOENT");
  process.env["CRONFLOW_TEST_SHORT"] = "hunter2";
  const error = ((): Error => {
    try {
      secret("env:CRONFLOW_TEST_SHORT").reveal();
    } catch (thrown) {
      return thrown as Error;
    }
    throw new Error("it was taken");
  })();
  expect(error).toBeInstanceOf(InvalidError);
  expect(error.message).toBe("secret(env:CRONFLOW_TEST_SHORT) has fewer than 8 characters.");
  process.env["CRONFLOW_TEST_SHORT"] = "";
  expect(() => secret("env:CRONFLOW_TEST_SHORT").reveal()).toThrow("is missing");
});

test("what is no source is refused, and not shown: it may be the secret", () => {
  for (const source of ["sk-live-4711", "env:", "vault:x", 5]) {
    expect(() => secret(source as "env:X")).toThrow(/^secret\(\) takes "env:NAME" or "file:\/path"\.$/);
  }
});

test("references are replaced wherever they stand, and the rest stays what it is", () => {
  process.env["CRONFLOW_TEST_SECRET"] = VALUE;
  const found = secret("env:CRONFLOW_TEST_SECRET");
  const date = new Date();
  const call = (): number => 1;
  const given = { a: [found, 1], b: { c: found }, date, call, ["__proto__"]: "field" };
  expect(revealed(given)).toEqual({ a: [VALUE, 1], b: { c: VALUE }, date, call, ["__proto__"]: "field" });
  expect((revealed(given) as typeof given).date).toBe(date);
  const loop: { self?: unknown; found: unknown } = { found };
  loop.self = loop;
  const copy = revealed(loop) as typeof loop;
  expect([copy.self, copy.found]).toEqual([copy, VALUE]);
});

test("a workflow whose secret is missing does not start", async () => {
  const engine = testEngine();
  engine.define({ id: "w", secrets: { key: secret("env:CRONFLOW_TEST_MISSING") } }).step("x", () => 1);
  await expect(engine.start()).rejects.toThrow("secret(env:CRONFLOW_TEST_MISSING) is missing");
});
