import { expect, test } from "bun:test";
import { slack } from "./slack.ts";

/** The vector in Slack's documentation. */
const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";
const TIME = "1531420618";
const NOW_MS = 1_531_420_618_000;
const BODY =
  "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

function sign(body: string, time = TIME): string {
  return `v0=${new Bun.CryptoHasher("sha256", SECRET).update(`v0:${time}:${body}`).digest("hex")}`;
}

function check(signature: string, time: string, body = BODY, nowMs = NOW_MS) {
  const headers = new Headers({ "x-slack-signature": signature, "x-slack-request-timestamp": time });
  return slack({ secret: SECRET })(Buffer.from(body), { method: "POST", url: "http://localhost/", headers }, nowMs);
}

test("takes the documented message, and names it by what was signed", () => {
  const deliveryId = new Bun.CryptoHasher("sha256").update(`v0:${TIME}:${BODY}`).digest("hex");
  expect(check(SIGNATURE, TIME)).toEqual({ ok: true, deliveryId, ttl: "30d" });
});

test("names an event by its id", () => {
  const body = '{"event_id":"Ev1"}';
  expect(check(sign(body), TIME, body)).toEqual({ ok: true, deliveryId: "Ev1", ttl: "30d" });
});

test.each([
  ["an old message", SIGNATURE, TIME, NOW_MS + 300_001],
  ["a message of the future", SIGNATURE, TIME, NOW_MS - 300_001],
  ["another time", SIGNATURE, "1531420619", NOW_MS],
  ["a time with a sign", sign(BODY, "+1531420618"), "+1531420618", NOW_MS],
  ["no prefix", SIGNATURE.slice(3), TIME, NOW_MS],
  ["another version", SIGNATURE.replace("v0", "v1"), TIME, NOW_MS],
  ["capitals", `v0=${SIGNATURE.slice(3).toUpperCase()}`, TIME, NOW_MS],
  ["two headers", `${SIGNATURE}, ${SIGNATURE}`, TIME, NOW_MS],
  ["an empty header", "", TIME, NOW_MS],
])("refuses %s", (_what, signature, time, nowMs) => {
  expect(check(signature, time, BODY, nowMs).ok).toBe(false);
});

test.each(["x-slack-signature", "x-slack-request-timestamp"])("refuses a message without %s", (name) => {
  const headers = new Headers({ "x-slack-signature": SIGNATURE, "x-slack-request-timestamp": TIME });
  headers.delete(name);
  const verdict = slack({ secret: SECRET })(Buffer.from(BODY), { method: "POST", url: "", headers }, NOW_MS);
  expect(verdict).toEqual({ ok: false, reason: "a header is missing" });
});
