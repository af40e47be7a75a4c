/**
 * The secrets this process has read, so that none of them is recorded or logged by mistake. They are kept for as long as
 * the process lives: a secret that was replaced may still be in an error that comes late.
 */
import { SecretError } from "./secret-error.ts";

/** What is shown instead. */
export const MASK = "[secret]";
/** Shorter ones would mask half of every text. */
export const SHORTEST_SECRET = 8;

/** How a secret may stand in a text, longest first, and the reference it was read by. */
let forms: readonly (readonly [form: string, reference: string])[] = [];

/** From now on the value is known for a secret. */
export function keepSecret(value: string, reference: string): void {
  if (forms.some(([form]) => form === value)) return;
  const added = [...new Set(formsOf(value))].map((form) => [form, reference] as const);
  // Longest first: one may be a part of another.
  forms = [...forms, ...added].sort(([one], [other]) => other.length - one.length);
}

/** As it is, inside of JSON, inside of JSON inside of JSON, and in each part of an address. */
function* formsOf(value: string): Iterable<string> {
  const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
  yield value;
  yield escaped(value);
  yield escaped(escaped(value));
  yield encodeURIComponent(value);
  yield new URLSearchParams([["", value]]).toString().slice(1);
  // Each part leaves other characters as they are. What is longer than the value says all of it: a path may be cut.
  yield* addressForms(value).filter((form) => form.length >= value.length);
}

function addressForms(value: string): string[] {
  const url = new URL("http://host");
  url.username = value;
  url.password = value;
  url.pathname = `/${value}`;
  url.search = `?${value}`;
  url.hash = `#${value}`;
  return [url.username, url.password, ...[url.pathname, url.search, url.hash].map((part) => part.slice(1))];
}

/** The text without any secret. */
export function masked(text: string): string {
  let shown = text;
  for (const [form] of forms) if (shown.includes(form)) shown = shown.replaceAll(form, MASK);
  return shown;
}

/** Whether a text has a secret in it. */
export function hasSecret(text: string): boolean {
  return forms.some(([form]) => text.includes(form));
}

/** Whether there is anything to look for. */
export function knowsSecrets(): boolean {
  return forms.length > 0;
}

/** Throws a `SecretError` if a text that is to be recorded has a secret in it. @param what The value, for the message. */
export function refuseSecrets(text: string | undefined, what: string): void {
  if (text === undefined || forms.length === 0) return;
  const found = forms.find(([form]) => text.includes(form));
  if (found === undefined) return;
  throw new SecretError(
    `the ${masked(what)} cannot be recorded: it has the value of ${found[1]} in it. Leave the secret out.`,
  );
}
