import { expect, test } from "bun:test";
import { createCronflow } from "cronflow-ffi";
import { checkWebhook, type WebhookOptions } from "./webhook-options.ts";

test.each<[string, unknown, object, string]>([
  ["a path that does not begin with /", "w", {}, 'the webhook\'s path is "w"; give one like "/orders/:id"'],
  ["a path with a space", "/a b", {}, 'the webhook\'s path is "/a b"'],
  ["no path", undefined, {}, "the webhook's path is undefined"],
  ["a method", "/w", { method: "GET" }, '`method` is "GET"; give POST, PUT, PATCH or DELETE'],
  ["respond", "/w", { respond: "later" }, '`respond` is "later"; give "accepted" or "result"'],
  ["a schema", "/w", { schema: { parse: () => {} } }, "`schema` is no Standard Schema"],
  ["verify", "/w", { verify: "github" }, '`verify`, if it is not "none", is "github"; give a function'],
  ["parseRawBody", "/w", { parseRawBody: 1 }, "`parseRawBody`, if it is not true or false, is 1; give a function"],
  ["a timeout", "/w", { timeout: "soon" }, "`timeout`: "],
  ["a timeout of nothing", "/w", { timeout: 0 }, "`timeout` is 0; give at least 1 ms"],
  ["maxBodyBytes", "/w", { maxBodyBytes: 1.5 }, "`maxBodyBytes` is 1.5; give a whole number from 1 to 67,108,864"],
  ["validate", "/w", { validate: true }, "`validate` is true; give a function"],
  ["idempotencyKey", "/w", { idempotencyKey: "x-key" }, '`idempotencyKey` is "x-key"; give a function'],
  ["condition", "/w", { condition: false }, "`condition` is false; give a function"],
  ["onSuccess", "/w", { onSuccess: 1 }, "`onSuccess` is 1; give a function"],
  ["onError", "/w", { onError: 1 }, "`onError` is 1; give a function"],
  ["middleware", "/w", { middleware: () => {} }, "`middleware` is a function; give an array"],
  ["a middleware", "/w", { middleware: [() => {}, 1] }, "`middleware[1]` is 1; give a function"],
  ["a header's name", "/w", { headers: { required: ["x y"] } }, '`headers` names "x y", which is no header\'s name'],
  ["a redacted name", "/w", { headers: { redact: [""] } }, '`headers` names ""'],
  ["a header's value", "/w", { headers: { required: { a: 1 } } }, '`headers.required["a"]` is 1; give a text or a'],
  ["headers.validate", "/w", { headers: { validate: 1 } }, "`headers.validate` is 1; give a function"],
])("%s that is wrong is named, with the workflow and the path", (_what, path, options, message) => {
  const check = (): void => checkWebhook("orders", path, options as WebhookOptions);
  expect(check).toThrow(message);
  expect(check).toThrow("Workflow `orders`");
  if (path === "/w") expect(check).toThrow("webhook `/w`");
});

test("what is wrong is found when the routes are made", () => {
  const engine = createCronflow({ database: ":memory:" });
  engine.define({ id: "orders" }).onWebhook("/w", { timeout: 0 });
  expect(() => engine.routes()).toThrow("Workflow `orders`, webhook `/w`: `timeout` is 0");
});

test("in production it must be said who may send", () => {
  const make = (production: boolean, options: WebhookOptions = {}): (() => unknown) => {
    const engine = createCronflow({ database: ":memory:", production });
    engine.define({ id: "orders" }).onWebhook("/w", options);
    return () => engine.routes();
  };
  expect(make(true)).toThrow(
    'Workflow `orders`, webhook `/w`: in production it must be said who may send. Give `verify`, or `verify: "none"` if anybody may.',
  );
  expect(make(true, { verify: "none" })).not.toThrow();
  expect(make(true, { verify: () => false })).not.toThrow();
  expect(make(false)).not.toThrow();
});

test("two webhooks whose paths differ only in the names of parameters are in each other's way", () => {
  const engine = createCronflow({ database: ":memory:" });
  engine.define({ id: "a" }).onWebhook("/w/:id");
  engine.define({ id: "b" }).onWebhook("/w/:name", { method: "PUT" });
  expect(() => engine.routes()).toThrow("are the same path");
});
