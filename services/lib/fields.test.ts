import { expect, test } from "bun:test";
import { flag, httpUrl, list, object, optional, otherwise, text, texts, whole } from "./fields.ts";

const schema = object({
  text,
  url: optional(httpUrl),
  flag: otherwise(flag, true),
  whole: otherwise(whole(1, 5), 2),
  list: optional(list(text)),
  texts: optional(texts),
});
const validate = schema["~standard"].validate;

test("fields are read, and those that are left out are what they are otherwise", () => {
  expect(validate({ text: "a" })).toEqual({
    value: { text: "a", flag: true, whole: 2, url: undefined, list: undefined, texts: undefined },
  });
  const all = { text: "a", url: "https://x.test/a", flag: false, whole: 5, list: ["a"], texts: { a: "b" } };
  expect(validate(all)).toEqual({ value: all });
});

test("everything that is wrong is told, each with its field", () => {
  const wrong = { text: "", url: "file:///x", flag: "yes", whole: 6, list: ["a", 5], texts: { a: 1 }, other: 1 };
  const result = validate(wrong) as { issues: { path: string[]; message: string }[] };
  expect(result.issues).toEqual([
    { path: ["other"], message: "there is no such field" },
    { path: ["text"], message: "give a text" },
    { path: ["url"], message: "give an address that begins with http:// or https://" },
    { path: ["flag"], message: "give true or false" },
    { path: ["whole"], message: "give a whole number from 1 to 5" },
    { path: ["list"], message: "give a text" },
    { path: ["texts"], message: "give a text" },
  ]);
  expect(validate(5)).toEqual({ issues: [{ message: "give an object" }] });
  expect(validate({})).toEqual({ issues: [{ path: ["text"], message: "give a text" }] });
});
