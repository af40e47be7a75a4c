/** What headers a webhook asks for. */
import type { WebhookHeaders } from "../../definition/webhook-options.ts";
import type { Issue } from "../../schema.ts";
import { headersInvalid } from "./error.ts";

/** Throws a 400 that names what is missing or wrong; what is there is not repeated, it may be a secret. */
export function checkRequestHeaders(headers: Headers, { required, validate }: WebhookHeaders): void {
  const issues = required === undefined ? [] : missing(headers, required);
  if (issues.length === 0 && validate !== undefined) {
    const verdict = validate(headers);
    if (verdict !== true) issues.push({ path: "headers", message: String(verdict) });
  }
  if (issues.length > 0) throw headersInvalid(issues);
}

function missing(headers: Headers, required: NonNullable<WebhookHeaders["required"]>): Issue[] {
  const issues: Issue[] = [];
  const wanted = Array.isArray(required) ? required.map((name) => [name, undefined]) : Object.entries(required);
  for (const [name, expected] of wanted) {
    const value = headers.get(name);
    const path = `headers.${name.toLowerCase()}`;
    if (value === null) issues.push({ path, message: "missing" });
    else if (expected !== undefined && !matches(value, expected)) issues.push({ path, message: "not as expected" });
  }
  return issues;
}

function matches(value: string, expected: string | RegExp): boolean {
  // `search` begins at the start, also with a pattern that remembers where it was.
  return typeof expected === "string" ? value === expected : value.search(expected) !== -1;
}
