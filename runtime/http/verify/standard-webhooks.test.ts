import { expect, test } from "bun:test";
import { standardWebhooks } from "./standard-webhooks.ts";

/** The vector that the libraries of standardwebhooks.com are tested with. */
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY = '{"test": 2432232314}';
const VECTOR = {
  "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const SENT_MS = 1_614_265_330_000;

function sign(secret: string, id: string, time: string, body = BODY): string {
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  return new Bun.CryptoHasher("sha256", key).update(`${id}.${time}.${body}`).digest("base64");
}

function check(headers: Record<string, string> | Headers, nowMs = SENT_MS, secrets: readonly string[] = [SECRET]) {
  const request = { method: "POST", url: "http://localhost/", headers: new Headers(headers) };
  return standardWebhooks({ secrets })(Buffer.from(BODY), request, nowMs);
}

test("takes the published message, and names it by its id for 30 days", () => {
  const [, code] = VECTOR["webhook-signature"].split(",");
  expect(code).toBe(sign(SECRET, VECTOR["webhook-id"], VECTOR["webhook-timestamp"]));
  expect(check(VECTOR)).toEqual({ ok: true, deliveryId: "msg_p5jXN8AQM9LWM0D4loKWxJek", ttl: "30d" });
});

test("refuses the same message with another body", () => {
  const request = { method: "POST", url: "http://localhost/", headers: new Headers(VECTOR) };
  const verdict = standardWebhooks({ secret: SECRET })(Buffer.from(`${BODY} `), request, SENT_MS);
  expect(verdict).toEqual({ ok: false, reason: "the signature does not match" });
});

test("while secrets are rotated, either side may be ahead of the other", () => {
  const other = `whsec_${Buffer.from("another secret of 24 byte").toString("base64")}`;
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature } = VECTOR;
  const both = { ...VECTOR, "webhook-signature": `v1,${sign(other, id, time)} ${signature} v1a,AAAA v2,AA==` };
  expect(check(both, SENT_MS, [SECRET]).ok).toBe(true);
  expect(check(both, SENT_MS, [other]).ok).toBe(true);
  expect(check(VECTOR, SENT_MS, [other, SECRET]).ok).toBe(true);
  expect(check(VECTOR, SENT_MS, [other]).ok).toBe(false);
});

test("takes the secret without its prefix, and reads it late", () => {
  const request = { method: "POST", url: "http://localhost/", headers: new Headers(VECTOR) };
  let secret = "";
  const verifier = standardWebhooks({ secret: () => secret });
  expect(() => verifier(Buffer.from(BODY), request, SENT_MS)).toThrow("a secret is empty");
  secret = SECRET.slice("whsec_".length);
  expect(verifier(Buffer.from(BODY), request, SENT_MS).ok).toBe(true);
});

test.each([
  [-300_000, true],
  [300_000, true],
  [-300_001, false],
  [300_001, false],
])("a message that is %d ms old", (ageMs, ok) => {
  expect(check(VECTOR, SENT_MS + ageMs).ok).toBe(ok);
});

test.each<[string, Partial<Record<keyof typeof VECTOR, string>>]>([
  ["an id that could move the full stop", { "webhook-id": "msg.1" }],
  ["two ids", { "webhook-id": "a, b" }],
  ["an empty id", { "webhook-id": "" }],
  ["an id without end", { "webhook-id": "x".repeat(513) }],
  ["a time that is no whole number", { "webhook-timestamp": "1614265330.5" }],
  ["a time in another notation", { "webhook-timestamp": "1e9" }],
  ["a time with a sign", { "webhook-timestamp": "+1614265330" }],
  ["a time with a space inside", { "webhook-timestamp": "1614265330 0" }],
  ["a huge time", { "webhook-timestamp": "9".repeat(400) }],
  ["no time", { "webhook-timestamp": "NaN" }],
  ["two times", { "webhook-timestamp": "1614265330, 1614265330" }],
  ["an empty signature", { "webhook-signature": "" }],
  ["a signature without a version", { "webhook-signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }],
  ["only signatures of other versions", { "webhook-signature": "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" }],
  ["a short signature", { "webhook-signature": "v1,g0hM9SsE" }],
  ["a signature without padding", { "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE" }],
  ["base64 for URLs", { "webhook-signature": "v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=" }],
  ["two spaces between", { "webhook-signature": `${VECTOR["webhook-signature"]}  ${VECTOR["webhook-signature"]}` }],
  ["two headers", { "webhook-signature": `${VECTOR["webhook-signature"]}, ${VECTOR["webhook-signature"]}` }],
])("refuses %s even if it is signed so", (_what, changed) => {
  const headers = { ...VECTOR, ...changed };
  if (!("webhook-signature" in changed)) {
    headers["webhook-signature"] = `v1,${sign(SECRET, headers["webhook-id"], headers["webhook-timestamp"])}`;
  }
  expect(check(headers).ok).toBe(false);
});

test.each(Object.keys(VECTOR))("refuses a message without %s", (name) => {
  const headers = new Headers(VECTOR);
  headers.delete(name);
  expect(check(headers)).toEqual({ ok: false, reason: "a header is missing" });
});

test.each([
  ["no secrets", () => standardWebhooks({ secrets: [] }), "give at least one secret"],
  ["an empty secret", () => standardWebhooks({ secret: "" }), "a secret is empty or not of its form"],
  ["only a prefix", () => standardWebhooks({ secret: "whsec_" }), "a secret is empty or not of its form"],
  ["what is no base64", () => standardWebhooks({ secret: "whsec_?" }), "a secret is empty or not of its form"],
  ["no tolerance", () => standardWebhooks({ secret: SECRET, tolerance: 0 }), "`tolerance` is 0"],
])("%s is an error at definition", (_what, make, message) => {
  expect(make).toThrow(message);
});
