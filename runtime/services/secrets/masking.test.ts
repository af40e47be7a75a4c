/** What is left of texts, values and errors when the secrets are taken out. */
import { expect, test } from "bun:test";
import { keepSecret, masked } from "./known.ts";
import { maskedError, maskedJson, maskingLog } from "./masking.ts";

const VALUE = `mask "me" & ${crypto.randomUUID()}`;
keepSecret(VALUE, "secret(env:MASKED)");

/** What a log gets of a detail. */
function logged(detail: unknown): unknown {
  const seen: unknown[] = [];
  const take = (_message: string, ...details: unknown[]): void => void seen.push(...details);
  maskingLog({ debug: take, info: take, warn: take, error: take }).info("x", detail);
  return seen[0];
}

test("a secret is found as it is, in JSON, in JSON in JSON, and in addresses", () => {
  const forms = [VALUE, JSON.stringify(VALUE), JSON.stringify(JSON.stringify(VALUE)), encodeURIComponent(VALUE)];
  const query = new URLSearchParams({ q: VALUE }).toString();
  expect([...forms, query].map((text) => masked(`<${text}>`))).toEqual([
    "<[secret]>",
    '<"[secret]">',
    '<"\\"[secret]\\"">',
    "<[secret]>",
    "<q=[secret]>",
  ]);
});

test("a secret is found in whatever part of an address it stands", () => {
  const value = `it's a/b+c==#?@:${crypto.randomUUID()}`;
  keepSecret(value, "secret(env:ADDRESS)");
  const url = new URL("https://host");
  url.username = value;
  url.password = value;
  url.pathname = `/${value}/end`;
  url.search = `?k=${value}`;
  url.hash = value;
  expect(masked(url.href)).toBe("https://[secret]:[secret]@host/[secret]/end?k=[secret]#[secret]");
});

test("a path that is cut is no form of a secret", () => {
  keepSecret("/../ordinary/../words", "secret(env:DOTS)");
  expect(masked("https://host/words")).toBe("https://host/words");
});

test("a secret that is a part of another does not leave the rest of it", () => {
  const long = `long-${crypto.randomUUID()}-longer`;
  keepSecret(long.slice(0, 20), "secret(env:SHORT)");
  keepSecret(long, "secret(env:LONG)");
  expect(masked(`${long} ${long.slice(0, 20)}`)).toBe("[secret] [secret]");
});

test("values without a secret are the same, others are copied with it masked", () => {
  const plain = { a: [1, { b: "x" }], date: new Date() };
  expect(logged(plain)).toBe(plain);
  expect(logged({ a: [1, { [VALUE]: VALUE }], n: null })).toEqual({ a: [1, { "[secret]": "[secret]" }], n: null });
  const loop: Record<string, unknown> = { VALUE: `${VALUE}!` };
  loop["self"] = loop;
  for (const detail of [
    loop,
    new Map([["k", VALUE]]),
    new Headers({ a: encodeURIComponent(VALUE) }),
    new URL(`http://x/?${new URLSearchParams({ q: VALUE })}`),
  ]) {
    expect(logged(detail)).toBeString();
    expect(logged(detail)).toContain("[secret]");
  }
});

test("JSON stays JSON, whatever the secret is", () => {
  keepSecret('","x":"', "secret(env:ODD)");
  const text = JSON.stringify({ b: VALUE, c: '","x":"', a: 'a","x":"b' });
  expect(JSON.parse(maskedJson(text) as string)).toEqual({ b: "[secret]", c: "[secret]", a: "a[secret]b" });
  expect(maskedJson(undefined)).toBeUndefined();
  expect(maskedJson('{"a": 1}')).toBe('{"a": 1}');
});

test("an error keeps its class and loses the secret, in its cause, too", () => {
  const cause = new RangeError(`cause ${VALUE}`);
  const error = Object.assign(new TypeError(`is ${VALUE}`, { cause }), { code: VALUE });
  const shown = maskedError(error) as typeof error;
  expect(shown).toBe(error);
  expect([shown.message, shown.code, (shown.cause as Error).message]).toEqual([
    "is [secret]",
    "[secret]",
    "cause [secret]",
  ]);
  expect(shown.stack).not.toContain(VALUE);
  const clean = new Error("clean");
  expect(maskedError(clean)).toBe(clean);
});

test("an error that tells a secret deep inside, or cannot be changed, is replaced by what can be shown of it", () => {
  const deep = Object.assign(new TypeError("deep"), { request: { headers: { authorization: VALUE } } });
  const shown = maskedError(deep) as Error;
  expect(shown).not.toBe(deep);
  expect([shown.name, shown.message, "request" in shown]).toEqual(["TypeError", "deep", false]);
  const hidden = logged({ [Symbol("s")]: VALUE, a: 1 });
  expect(Bun.inspect(hidden)).not.toContain(VALUE.slice(0, 8));
  class Private extends Error {
    #told = `told ${VALUE}`;
    override get message(): string {
      return this.#told;
    }
  }
  expect((maskedError(new Private()) as Error).message).toBe("told [secret]");
  const frozen = Object.freeze(new Error(`frozen ${VALUE}`));
  expect((maskedError(frozen) as Error).message).toBe("frozen [secret]");
  expect(maskedError(VALUE)).toBe("[secret]");
});
