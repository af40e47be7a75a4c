import { expect, test } from "bun:test";
import { type Code, ERROR_CLASSES, errorOf } from "./errors.ts";
import { CODES } from "./native/generated.ts";

test("every code of the core has its TypeScript class, and every class a code", () => {
  const used = new Set<unknown>();
  for (const [code, { class: kind }] of Object.entries(CODES)) {
    const error = errorOf(code as Code, "text");
    expect(error).toBeInstanceOf(ERROR_CLASSES[kind]);
    expect(error).toMatchObject({ code, kind, message: "text", name: ERROR_CLASSES[kind].name });
    used.add(ERROR_CLASSES[kind]);
  }
  expect(used.size).toBe(Object.keys(ERROR_CLASSES).length);
});
