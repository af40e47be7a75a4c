import { expect, test } from "bun:test";
import { github } from "./github.ts";

/** The vector in GitHub's documentation. */
const SECRET = "It's a Secret to Everybody";
const BODY = Buffer.from("Hello, World!");
const SIGNATURE = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

function check(signature: string | undefined, options: Partial<Parameters<typeof github>[0]> = {}, body = BODY) {
  const headers = new Headers(signature === undefined ? {} : { "x-hub-signature-256": signature });
  return github({ secret: SECRET, ...options })(body, { method: "POST", url: "http://localhost/", headers }, 0);
}

test("takes the documented message", () => {
  expect(check(`sha256=${SIGNATURE}`)).toMatchObject({ ok: true });
});

test("names a message by its body, whichever secret it was signed with", () => {
  const signature = new Bun.CryptoHasher("sha256", "new").update(BODY).digest("hex");
  const [first, second] = [check(`sha256=${SIGNATURE}`), check(`sha256=${signature}`, { secrets: ["new", SECRET] })];
  expect(first).toEqual({ ok: true, deliveryId: new Bun.CryptoHasher("sha256").update(BODY).digest("hex") });
  expect(second).toEqual(first);
});

test("allowRepeats names nothing", () => {
  expect(check(`sha256=${SIGNATURE}`, { allowRepeats: true })).toEqual({ ok: true });
});

test.each([
  ["no header", undefined],
  ["an empty header", ""],
  ["no prefix", SIGNATURE],
  ["another algorithm", `sha1=${SIGNATURE.slice(0, 40)}`],
  ["a shorter code", `sha256=${SIGNATURE.slice(2)}`],
  ["a longer code", `sha256=${SIGNATURE}00`],
  ["capitals", `sha256=${SIGNATURE.toUpperCase()}`],
  ["what is no hexadecimal", `sha256=${SIGNATURE.slice(1)}g`],
  ["a space", `sha256= ${SIGNATURE}`],
  ["two headers", `sha256=${SIGNATURE}, sha256=${SIGNATURE}`],
  ["another code", `sha256=${SIGNATURE.replace("7", "8")}`],
])("refuses %s", (_what, signature) => {
  expect(check(signature).ok).toBe(false);
});

test("refuses another body, and another secret", () => {
  expect(check(`sha256=${SIGNATURE}`, {}, Buffer.from("Hello, World")).ok).toBe(false);
  expect(check(`sha256=${SIGNATURE}`, { secret: "Everybody" }).ok).toBe(false);
});
