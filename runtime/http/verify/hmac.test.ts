import { expect, test } from "bun:test";
import { hmac } from "./hmac.ts";
import type { Algorithm, Encoding } from "./signature.ts";

const SECRET = "key";
const TIME = "1700000000";
const NOW_MS = 1_700_000_000_000;
/** RFC 4231 and RFC 2202 test messages are binary; these are of the well-known sentence. */
const BODY = Buffer.from("The quick brown fox jumps over the lazy dog");
const SHA1 = "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9";
const SHA256 = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";

type Options = Partial<Parameters<typeof hmac>[0]>;

function check(options: Options, headers: Record<string, string>, body: Uint8Array = BODY, nowMs = NOW_MS) {
  const request = { method: "POST", url: "http://localhost/", headers: new Headers(headers) };
  return hmac({ secret: SECRET, header: "x-signature", ...options })(body, request, nowMs);
}

function sign(content: string, algorithm: Algorithm = "sha256", encoding: Encoding = "hex"): string {
  return new Bun.CryptoHasher(algorithm, SECRET).update(content).digest(encoding);
}

test("takes well-known codes", () => {
  expect(check({}, { "x-signature": SHA256 }).ok).toBe(true);
  expect(check({ algorithm: "sha1" }, { "x-signature": SHA1 }).ok).toBe(true);
});

test.each<[Algorithm, Encoding]>([
  ["sha1", "hex"],
  ["sha256", "hex"],
  ["sha512", "hex"],
  ["sha1", "base64"],
  ["sha256", "base64"],
  ["sha512", "base64"],
])("%s in %s, after a prefix", (algorithm, encoding) => {
  const options: Options = { algorithm, encoding, prefix: "sig=" };
  const signature = sign(BODY.toString(), algorithm, encoding);
  expect(check(options, { "x-signature": `sig=${signature}` }).ok).toBe(true);
  expect(check(options, { "x-signature": signature }).ok).toBe(false);
  expect(check(options, { "x-signature": `sig=${signature}` }, Buffer.from("x")).ok).toBe(false);
});

test("a message is named by what was signed, however the code is written", () => {
  const signature = sign(BODY.toString(), "sha256", "base64");
  // The last character of such a code has two bits that nobody reads.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const last = alphabet.indexOf(signature.at(-2) as string);
  const variant = `${signature.slice(0, -2)}${alphabet[last + 1]}=`;
  const options: Options = { encoding: "base64" };
  const [plain, varied] = [signature, variant].map((text) => check(options, { "x-signature": text }));
  expect(plain).toEqual({ ok: true, deliveryId: new Bun.CryptoHasher("sha256").update(BODY).digest("hex") });
  expect([varied]).toEqual([plain]);
});

test("time and id are signed before the body, and the id names the message", () => {
  const options: Options = { timestamp: { header: "x-time", tolerance: "1m" }, id: "x-id" };
  const headers = { "x-time": TIME, "x-id": "m1", "x-signature": sign(`m1.${TIME}.${BODY}`) };
  expect(check(options, headers)).toEqual({ ok: true, deliveryId: "m1", ttl: "30d" });
  expect(check(options, headers, BODY, NOW_MS + 60_001)).toEqual({ ok: false, reason: "the time is not near" });
  expect(check(options, { ...headers, "x-id": "m2" }).ok).toBe(false);
  expect(check(options, { ...headers, "x-id": "m.1", "x-signature": sign(`m.1.${TIME}.${BODY}`) }).ok).toBe(false);
  expect(check({ ...options, allowRepeats: true }, headers)).toEqual({ ok: true, ttl: "30d" });
});

test("what is signed may be put together otherwise", () => {
  const options: Options = {
    timestamp: { header: "x-time" },
    signed: ({ timestamp, body, headers }) => `${headers.get("x-app")}:${timestamp}:${Buffer.from(body)}`,
  };
  const headers = { "x-time": TIME, "x-app": "a", "x-signature": sign(`a:${TIME}:${BODY}`) };
  expect(check(options, headers)).toMatchObject({ ok: true, ttl: "30d" });
  expect(check(options, { ...headers, "x-app": "b" }).ok).toBe(false);
});

test.each([
  ["no header", {}],
  ["no time", { "x-signature": SHA256 }],
  ["capitals", { "x-signature": SHA256.toUpperCase(), "x-time": TIME }],
  ["a space", { "x-signature": `${SHA256.slice(0, 32)} ${SHA256.slice(32)}`, "x-time": TIME }],
  ["a code that is too short", { "x-signature": "", "x-time": TIME }],
])("refuses %s", (_what, headers) => {
  expect(check({ timestamp: { header: "x-time" } }, headers).ok).toBe(false);
});

test.each<[string, () => unknown, string]>([
  ["an algorithm", () => hmac({ secret: "k", header: "x", algorithm: "md5" as "sha1" }), '`algorithm` is "md5"'],
  ["a name every object has", () => hmac({ secret: "k", header: "x", algorithm: "toString" as "sha1" }), "`algorithm`"],
  ["an encoding", () => hmac({ secret: "k", header: "x", encoding: "utf8" as "hex" }), '`encoding` is "utf8"'],
  ["a header", () => hmac({ secret: "k", header: "" }), '`header` is ""'],
  [
    "a header of the time",
    () => hmac({ secret: "k", header: "x", timestamp: { header: "a b" } }),
    "`timestamp.header`",
  ],
  ["a secret", () => hmac({ secret: "", header: "x" }), "a secret is empty"],
])("%s that is wrong is an error at definition", (_what, make, message) => {
  expect(make).toThrow(message);
});
