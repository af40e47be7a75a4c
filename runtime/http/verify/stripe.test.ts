import { expect, test } from "bun:test";
import { stripe } from "./stripe.ts";

const SECRET = "whsec_test_secret";
const BODY = '{"id":"evt_1","object":"event"}';
const TIME = "1700000000";
const NOW_MS = 1_700_000_000_000;

function sign(body = BODY, time = TIME, secret = SECRET): string {
  return new Bun.CryptoHasher("sha256", secret).update(`${time}.${body}`).digest("hex");
}

function check(header: string | undefined, body = BODY, nowMs = NOW_MS, secrets: readonly string[] = [SECRET]) {
  const headers = new Headers(header === undefined ? {} : { "stripe-signature": header });
  return stripe({ secrets })(Buffer.from(body), { method: "POST", url: "http://localhost/", headers }, nowMs);
}

test("names a message by the id of its event, for 30 days", () => {
  expect(check(`t=${TIME},v1=${sign()},v0=${sign()}`)).toEqual({ ok: true, deliveryId: "evt_1", ttl: "30d" });
});

test.each([["{}"], ['{"id":""}'], ['{"id":7}'], ["[1]"], ["null"], ["no json"], ['{"__proto__":{"id":"x"}}']])(
  "names %s by what was signed",
  (body) => {
    const deliveryId = new Bun.CryptoHasher("sha256").update(`${TIME}.${body}`).digest("hex");
    expect(check(`t=${TIME},v1=${sign(body)}`, body)).toEqual({ ok: true, deliveryId, ttl: "30d" });
  },
);

test("takes one code of several, made with one secret of several", () => {
  const header = `t=${TIME},v1=${"0".repeat(64)},v1=${sign()}`;
  expect(check(header, BODY, NOW_MS, ["other", SECRET]).ok).toBe(true);
  expect(check(header, BODY, NOW_MS, ["other"]).ok).toBe(false);
});

test.each([
  [-300_000, true],
  [300_000, true],
  [-300_001, false],
  [300_001, false],
])("a message that is %d ms old", (ageMs, ok) => {
  expect(check(`t=${TIME},v1=${sign()}`, BODY, NOW_MS + ageMs).ok).toBe(ok);
});

test.each([
  ["no header", undefined],
  ["an empty header", ""],
  ["no time", `v1=${sign()}`],
  ["two times", `t=1,t=${TIME},v1=${sign()}`],
  ["no code", `t=${TIME}`],
  ["only another version", `t=${TIME},v0=${sign()}`],
  ["a space", `t=${TIME}, v1=${sign()}`],
  ["two headers", `t=${TIME},v1=${sign()}, t=${TIME},v1=${sign()}`],
  ["capitals", `t=${TIME},v1=${sign().toUpperCase()}`],
  ["a shorter code", `t=${TIME},v1=${sign().slice(1)}`],
  ["a part without a name", `t=${TIME},v1=${sign()},=1`],
  ["a time in another notation", `t=17e8,v1=${sign(BODY, "17e8")}`],
  ["a time with a zero before", `t=0${TIME},v1=${sign(BODY, `0${TIME}`)}`],
  ["another time", `t=1700000001,v1=${sign()}`],
])("refuses %s", (_what, header) => {
  expect(check(header).ok).toBe(false);
});
