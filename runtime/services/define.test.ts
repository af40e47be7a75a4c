/** What a service may be configured with, and what is said of what it may not. */
import { expect, test } from "bun:test";
import { createCronflow, defineService, InvalidError, ServiceConfigError, secret } from "cronflow-ffi";
import { z } from "zod";
import type { Schema } from "../schema.ts";
import { testEngine } from "../testing/engines.ts";

const mail = defineService({
  id: "mail",
  version: "2",
  schema: {
    config: z.object({ url: z.url(), retries: z.number().default(3) }),
    auth: z.object({ user: z.string(), password: z.string().min(8) }),
  },
  setup: ({ config, auth }) => ({ actions: { shown: () => `${config.url} ${config.retries} ${auth.user}` } }),
});
const auth = { user: "u", password: "long enough" };

function thrownBy(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not throw");
}

test("a wrong configuration is told at once, with all that is wrong", () => {
  // @ts-expect-error the user is missing, and the url is no text
  const error = thrownBy(() => mail.withConfig({ config: { url: 5 }, auth: { password: "short" } }));
  expect(error).toBeInstanceOf(ServiceConfigError);
  expect(error).toBeInstanceOf(InvalidError);
  const { service, issues, code, message } = error as ServiceConfigError;
  expect([service, code]).toEqual(["mail", "config_invalid"]);
  expect(issues.map(({ path }) => path)).toEqual(["config.url", "auth.user", "auth.password"]);
  expect(message).toStartWith("The configuration of service `mail` is not valid: config.url: ");
});

test("what is left out is what leaves out every field", () => {
  // @ts-expect-error nothing is given
  const error = thrownBy(() => mail.withConfig()) as ServiceConfigError;
  expect(error.issues.map(({ path }) => path)).toEqual(["config.url", "auth.user", "auth.password"]);
  const free = defineService({
    id: "free",
    schema: { config: z.object({ n: z.number().default(1) }) },
    setup: ({ config }) => ({ actions: { n: () => config.n } }),
  });
  expect(free.withConfig()).toMatchObject({ key: "free", id: "free" });
  expect(free.withConfig({ as: "other" })).toMatchObject({ key: "other", id: "free" });
});

test("a service without a schema takes nothing", () => {
  const plain = defineService({ id: "plain", setup: () => ({ actions: { x: () => 1 } }) });
  expect(plain.withConfig()).toMatchObject({ key: "plain" });
  // @ts-expect-error it takes no config
  expect(() => plain.withConfig({ config: { a: 1 } })).toThrow(
    "config: this service takes none: it has no `schema.config`",
  );
});

test("a schema that answers later is an issue, too", () => {
  const later = defineService({
    id: "later",
    schema: { config: z.object({}).refine(async () => true) },
    setup: () => ({ actions: {} }),
  });
  expect(() => later.withConfig({ config: {} })).toThrow(/later.*config: .*(answers later|async)/i);
});

const missing = secret("env:CRONFLOW_TEST_NOT_SET");

test("secrets are read by the start of the engine, all of them before anything begins", async () => {
  const events: string[] = [];
  const first = defineService({
    id: "first",
    setup: () => {
      events.push("setup");
      return { actions: {} };
    },
  });
  const service = mail.withConfig({ config: { url: "https://x.test" }, auth: { user: "u", password: missing } });
  const engine = testEngine({ services: [first.withConfig(), service] });
  const error = await engine.start().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ServiceConfigError);
  expect((error as ServiceConfigError).issues).toEqual([
    { path: "auth", message: "secret(env:CRONFLOW_TEST_NOT_SET) is missing: the environment variable is not set." },
  ]);
  expect(events).toEqual([]);

  // What the schema says of the secret itself, too.
  process.env["CRONFLOW_TEST_SET"] = "long enough to be one";
  const strict = defineService({
    id: "strict",
    schema: { auth: z.object({ token: z.string().startsWith("xoxb-") }) },
    setup: () => ({ actions: {} }),
  }).withConfig({ auth: { token: secret("env:CRONFLOW_TEST_SET") } });
  await expect(testEngine({ services: [strict] }).start()).rejects.toThrow(
    "The configuration of service `strict` is not valid: auth.token: ",
  );
});

test("what is wrong beside a secret is told at once", () => {
  // @ts-expect-error the user is missing, and the url is no text
  const error = thrownBy(() => mail.withConfig({ config: { url: missing.toString() }, auth: { password: missing } }));
  expect((error as ServiceConfigError).issues.map(({ path }) => path)).toEqual(["config.url", "auth.user"]);
});

test.each<[string, Schema]>([
  ["compares it", z.object({ a: z.string(), b: z.string() }).refine(({ a, b }) => a === b, { path: ["b"] })],
  ["reads it", z.object({ a: z.string().transform((text): string => JSON.parse(text)), b: z.string() })],
  ["reads it first", z.object({ a: z.preprocess((text) => (text as string).trim(), z.string()), b: z.string() })],
  [
    "throws",
    { "~standard": { version: 1, vendor: "x", validate: (given) => ({ value: (given as { a: string }).a.trim() }) } },
  ],
  ["takes one of several", z.union([z.object({ a: z.string(), b: z.string() }), z.object({ c: z.number() })])],
  ["takes more than a text", z.object({ a: z.union([z.string(), z.object({ key: z.string() })]), b: z.string() })],
])("a schema that %s says nothing of it before the start", (_what, schema) => {
  const service = defineService({ id: "s", schema: { config: schema }, setup: () => ({ actions: {} }) });
  expect(service.withConfig({ config: { a: missing, b: "b" } } as never).key).toBe("s");
});

test("a secret in a list, or in the place of everything", () => {
  const list = defineService({
    id: "list",
    schema: { config: z.array(z.object({ key: z.string(), n: z.number() })), auth: z.string() },
    setup: () => ({ actions: {} }),
  });
  const config = [
    { key: missing, n: 1 },
    { key: missing, n: "2" as unknown as number },
  ];
  const error = thrownBy(() => list.withConfig({ config, auth: missing })) as ServiceConfigError;
  expect(error.issues.map(({ path }) => path)).toEqual(["config[1].n"]);
});

test.each<[string, () => unknown, string]>([
  ["an id that is no name", () => defineService({ id: "a b", setup: () => ({ actions: {} }) }), "service id"],
  ["no setup", () => defineService({ id: "a", setup: 5 as never }), "`setup` is 5; give a function"],
  [
    "no schema",
    () => defineService({ id: "a", schema: { config: {} as never }, setup: () => ({ actions: {} }) }),
    "`schema.config` is no Standard Schema",
  ],
  ["a name that is no name", () => mail.withConfig({ config: { url: "https://x.test" }, auth, as: "a b" }), "(`as`)"],
])("%s is an error at definition", (_what, define, message) => {
  expect(define).toThrow(message);
});

test("a workflow refuses what is no configured service, and two of one name", () => {
  const one = mail.withConfig({ config: { url: "https://x.test" }, auth });
  const engine = createCronflow();
  // @ts-expect-error not configured
  expect(() => engine.define({ id: "a", services: [mail] })).toThrow("give what its .withConfig() gives");
  expect(() => engine.define({ id: "a", services: {} as never })).toThrow("Workflow `a`: `services` is no list.");
  expect(() => engine.define({ id: "a", services: [one, one] })).toThrow("two services named `mail`");
  const other = mail.withConfig({ config: { url: "https://y.test" }, auth, as: "second" });
  expect(engine.define({ id: "a", services: [one, other] }).id).toBe("a");
  // @ts-expect-error no secret
  expect(() => engine.define({ id: "b", secrets: { key: "plain" } })).toThrow("`secrets.key` is no secret");
});

test("nothing shows what a service is configured with", () => {
  const service = mail.withConfig({ config: { url: "https://x.test" }, auth });
  expect(Bun.inspect(service) + JSON.stringify(service)).not.toContain("long enough");
});
