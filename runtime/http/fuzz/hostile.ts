/** What has broken parsers before. */
import type { Random } from "./random.ts";

/** Texts of JSON, as they are written in a body. */
export const JSON_TEXTS: readonly string[] = [
  "null",
  "true",
  "0",
  "-0",
  '""',
  "[]",
  "{}",
  "1e400",
  "-1e400",
  "1e-400",
  "9007199254740993",
  "123456789012345678901234567890",
  `${"9".repeat(400)}`,
  "0.1e1",
  "01",
  "+1",
  "NaN",
  "Infinity",
  "undefined",
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '{"\\ud800":1}',
  '"\\u0000"',
  '{"\\u0000":"\\u0000"}',
  '"\\x41"',
  '"\u2028\u2029\ufeff"',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"toJSON":"x","valueOf":1,"toString":null,"then":"x","length":-1}',
  '{"hasOwnProperty":1,"__defineGetter__":2,"":3}',
  '{"a":1,"a":2}',
  "[1,]",
  '{"a":1,}',
  "{'a':1}",
  "/* */1",
  "1 2",
  "[[[[",
  '{"a":{"b":',
  '"unended',
  '"line\nbreak"',
  '{"total":1}',
  '{"approved":"true"}',
  '{"approved":null}',
];

const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  ".",
  "..",
  "../../../../etc/passwd",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "NaN",
  "-1",
  "0",
  "1e9",
  "999999999999999",
  "9007199254740993",
  "0001-01-01",
  "2026-02-31",
  "2026-01-31T08:00:00Z",
  "run_0000000000000",
  "run_7ZZZZZZZZZZZZ",
  "run_OOOOOOOOOOOOO",
  "%",
  "%00",
  "%zz",
  "%ff%fe",
  "%ed%a0%80",
  "%2f",
  "%5c",
  "%0d%0aset-cookie:%20a=b",
  "%25%32%66",
  "<script>alert(1)</script>",
  "{{7*7}}",
  "' OR 1=1 --",
  "%s%n",
  "\u00e4\u00ff",
  "*",
  ":id",
  "{id}",
  "?",
  "#",
];

const HEADER_NAMES: readonly string[] = [
  "accept",
  "accept-encoding",
  "access-control-request-headers",
  "access-control-request-method",
  "authorization",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "if-none-match",
  "method",
  "origin",
  "range",
  "referer",
  "sec-fetch-mode",
  "sec-fetch-site",
  "te",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-http-method-override",
  "x-id",
  "x-key",
  "x-kind",
  "x-original-url",
  "x-sent-at",
  "x-signature",
  "x-hub-signature-256",
  "stripe-signature",
  "webhook-signature",
  "__proto__",
  "constructor",
];

const HEADER_VALUES: readonly string[] = [
  "",
  "*/*",
  "application/json",
  "application/json; charset=utf-16",
  "application/x-www-form-urlencoded",
  "application/vnd.api+json",
  "multipart/form-data; boundary=x",
  "text/html",
  "text/html;q=0.1,application/json;q=0.2",
  "text/plain",
  ";;;;",
  "chunked",
  "gzip, identity",
  "gzip",
  "identity",
  "100-continue",
  "websocket",
  "close",
  "0",
  "-1",
  "1e3",
  "99999999999999999999",
  "127.0.0.1",
  "evil.example",
  "https://evil.example",
  "https://friend.example",
  "http://localhost",
  "null",
  "same-origin",
  "same-site",
  "cross-site",
  "none",
  "GET",
  "Bearer",
  "Bearer ",
  "Bearer wrong-token-0123456789",
  "Basic YTpi",
  "t=1,v1=00",
  "v1,AAAA v1,",
  "sha256=",
  "\u00e4\u00ff\u0001",
  "\t tab \t",
];

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND"] as const;
const CONTENT_TYPES = [...HEADER_VALUES.slice(2, 11), "application/json;charset=UTF-8", "APPLICATION/JSON", "json"];
const SITES = HEADER_VALUES.slice(23, 32);

export const method = (random: Random): string => random.pick(METHODS);
export const contentType = (random: Random): string => random.pick(CONTENT_TYPES);
/** A value of `Origin` or `Sec-Fetch-Site`. */
export const site = (random: Random): string => random.pick(SITES);
export const headerName = (random: Random): string =>
  random.chance(0.8) ? random.pick(HEADER_NAMES) : `x-${random.word()}`;

/** Characters below 256: one is one byte. */
export function headerValue(random: Random): string {
  if (random.chance(0.02)) return latin1(random.bytes(4_000 + random.int(16_000)).map(printable));
  return random.chance(0.8) ? random.pick(HEADER_VALUES) : latin1(random.bytes(random.int(40)).map(printable));
}

export function oddText(random: Random): string {
  if (random.chance(0.02)) return "a".repeat(500 + random.int(8_000));
  return random.chance(0.8) ? random.pick(ODD_TEXTS) : latin1(random.bytes(random.int(12)));
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** No control characters: they end a header on the wire, and are tried there. */
function printable(byte: number): number {
  return byte < 32 || byte === 127 ? byte + 33 : byte;
}
