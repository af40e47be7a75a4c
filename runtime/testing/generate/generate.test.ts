/** Values made of schemas. */
import { expect, test } from "bun:test";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type } from "arktype";
import { createCronflow } from "cronflow-ffi";
import { generate, generatePayload, samples } from "cronflow-ffi/testing";
import * as v from "valibot";
import { z } from "zod";

const order = z.object({
  id: z.uuid(),
  email: z.email().optional(),
  quantity: z.int().min(1).max(10),
  price: z.number().multipleOf(0.25).positive(),
  state: z.enum(["new", "paid"]),
  code: z.string().regex(/^[a-z]{2,4}-\d+$/),
  tags: z.array(z.string()).max(3),
  flags: z.record(z.string(), z.boolean()),
  pair: z.tuple([z.string(), z.number()]),
  kind: z.discriminatedUnion("of", [
    z.object({ of: z.literal("a") }),
    z.object({ of: z.literal("b"), size: z.number().gt(5) }),
  ]),
  note: z.string().nullable(),
  at: z.iso.datetime(),
  on: z.iso.date(),
  from: z.ipv4(),
  url: z.url(),
});

const schemas: [string, StandardSchemaV1][] = [
  ["zod", order],
  [
    "valibot",
    v.object({
      id: v.pipe(v.string(), v.uuid()),
      email: v.optional(v.pipe(v.string(), v.email())),
      quantity: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)),
      state: v.picklist(["new", "paid"]),
      code: v.pipe(v.string(), v.regex(/^[a-z]{2,4}-\d+$/)),
      tags: v.pipe(v.array(v.string()), v.maxLength(3)),
      pair: v.tuple([v.string(), v.number()]),
      kind: v.variant("of", [v.object({ of: v.literal("a") }), v.object({ of: v.literal("b"), size: v.number() })]),
      note: v.nullable(v.string()),
    }),
  ],
  [
    "arktype",
    type({
      id: "string.uuid",
      "email?": "string.email",
      quantity: "1 <= number.integer <= 10",
      state: "'new' | 'paid'",
      tags: "string[] <= 3",
      kind: type({ of: "'a'" }).or({ of: "'b'", size: "number > 5" }),
      note: "string | null",
    }),
  ],
];

test.each(schemas)("%s: values fit the schema, are the same for the same seed, and differ", (_, schema) => {
  const made = samples(schema, { count: 300 });
  for (const value of made) expect(schema["~standard"].validate(value)).not.toHaveProperty("issues.0");
  expect(samples(schema, { count: 300 })).toEqual(made);
  expect(samples(schema, { count: 300, seed: 1_000 })).not.toEqual(made);
  expect(new Set(made.map((value) => JSON.stringify(value))).size).toBeGreaterThan(250);
});

test("the edges are among them", () => {
  const made = samples(order, { count: 300 });
  const quantities = new Set(made.map(({ quantity }) => quantity));
  expect([1, 10].every((edge) => quantities.has(edge))).toBeTrue();
  expect(made.some((value) => "email" in value)).toBeTrue();
  expect(made.some((value) => !("email" in value))).toBeTrue();
  expect(made.some(({ note }) => note === null)).toBeTrue();
  expect(made.some(({ note }) => note === "")).toBeTrue();
  expect(new Set(made.map(({ tags }) => tags.length))).toEqual(new Set([0, 1, 2, 3]));
  expect(new Set(made.map(({ kind }) => kind.of))).toEqual(new Set(["a", "b"]));
  const [least, most] = made;
  expect(least).toMatchObject({ quantity: 1, tags: [], flags: {}, state: "new" });
  expect(most).toMatchObject({ quantity: 10, state: "paid", email: expect.any(String) });
});

test("a schema of its own depth, and one that is many", () => {
  const tree = z.object({
    name: z.string().min(1),
    get children() {
      return z.array(tree).optional();
    },
  });
  const both = z.object({ a: z.number().min(3) }).and(z.object({ b: z.string().min(2) }));
  for (const schema of [tree, both, z.unknown(), z.null(), z.literal(5), z.string().length(40), z.int32()]) {
    for (const value of samples(schema as z.ZodType, { count: 50 })) expect(() => schema.parse(value)).not.toThrow();
  }
});

test("what JSON Schema cannot say is found by trying", () => {
  const even = z.number().refine((value) => Math.abs(value % 2) === 0);
  expect(Math.abs(generate(even, { seed: 5 }) % 2)).toBe(0);
  expect(() => generate(z.string().refine((text) => text === "one in a million"))).toThrow(
    "No value was found that the schema takes; of the last it said: $: Invalid input. Give a function that makes one",
  );
  const schema = z.string().refine((text) => text.startsWith("sku-"));
  expect(generate(schema, { make: (random) => `sku-${random.whole(1, 9)}` })).toMatch(/^sku-\d$/);
});

test("a value is given as it is sent, or as the handlers see it", () => {
  const schema = z.object({ at: z.coerce.date(), amount: z.string().transform(Number).pipe(z.number()).catch(0) });
  const sent = generate(schema, { seed: 3 }) as { at: unknown; amount: unknown };
  expect([typeof sent.at, typeof sent.amount]).toEqual(["string", "string"]);
  const payload = generatePayload(schema, { seed: 3 });
  expect(payload).toEqual({ at: new Date(sent.at as string).toISOString(), amount: expect.any(Number) });
});

test("schemas of other libraries, and those that answer later, say what to do", () => {
  const other: StandardSchemaV1<string> = {
    "~standard": { version: 1, vendor: "other", validate: (value) => ({ value: value as string }) },
  };
  expect(() => generate(other)).toThrow("No values can be made for a schema of other: it has no JSON Schema. Give");
  expect(generate(other, { make: () => "made" })).toBe("made");
  expect(() => generate(z.string().refine(async () => true))).toThrow("answers later");
  expect(() => generate(order, { seed: 0.5 })).toThrow("give a whole number");
});

test.each(samples(order, { count: 5 }).map((value) => [value]))("a workflow takes what is made: %#", async (value) => {
  const workflow = createCronflow()
    .define({ id: "orders" })
    .manual({ schema: order })
    .step("total", (ctx) => ctx.payload.price * ctx.payload.quantity);
  await workflow
    .test()
    .trigger(value)
    .expectRun()
    .toCompleteWith(value.price * value.quantity)
    .run();
});
