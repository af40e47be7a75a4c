/** Bodies made wrong. */
import { JSON_TEXTS, oddText } from "./hostile.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();
/** One more than webhooks and management take. */
const TOO_LARGE = encoder.encode(`"${"x".repeat(1 << 20)}"`);
const DEPTHS = [126, 127, 128, 129, 1_000, 20_000];
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);
const NOT_UTF8 = Uint8Array.of(0x22, 0xff, 0xfe, 0xed, 0xa0, 0x80, 0xc0, 0xaf, 0x22);
const EMPTY = new Uint8Array();

type Change = (body: Uint8Array, random: Random) => Uint8Array;

const CHANGES: readonly (readonly [weight: number, change: Change])[] = [
  [8, (body, random) => body.subarray(0, random.int(body.length + 1))],
  [8, flipped],
  [6, (body, random) => spliced(body, random, random.bytes(1 + random.int(8)))],
  [6, (body, random) => spliced(body, random, encoder.encode(random.pick(JSON_TEXTS)))],
  [20, valueReplaced],
  [10, (_, random) => encoder.encode(random.pick(JSON_TEXTS))],
  [4, (_, random) => encoder.encode(JSON.stringify(oddText(random)))],
  [4, (_, random) => random.bytes(random.int(64))],
  [4, deep],
  [3, () => EMPTY],
  [3, (body) => Buffer.concat([BOM, body])],
  [3, () => NOT_UTF8],
  [2, (body) => Buffer.concat([body, body])],
  [0.2, () => TOO_LARGE],
];

export function hostileBody(body: Uint8Array, random: Random): Uint8Array {
  return random.weighted(CHANGES)(body, random);
}

function flipped(body: Uint8Array, random: Random): Uint8Array {
  const changed = Uint8Array.from(body);
  if (changed.length > 0) changed[random.int(changed.length)] = random.int(256);
  return changed;
}

function spliced(body: Uint8Array, random: Random, piece: Uint8Array): Uint8Array {
  const at = random.int(body.length + 1);
  return Buffer.concat([body.subarray(0, at), piece, body.subarray(at)]);
}

/** A value of JSON, a number or text, by another: the rest stays right. */
function valueReplaced(body: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(body).toString();
  const values = [...text.matchAll(/"[^"\\]*"(?=\s*[,}\]])|-?\d+(?:\.\d+)?|\[\]|\{\}|true|false|null/g)];
  if (values.length === 0) return body;
  const { 0: value, index } = random.pick(values);
  return encoder.encode(text.slice(0, index) + random.pick(JSON_TEXTS) + text.slice(index + value.length));
}

function deep(_: Uint8Array, random: Random): Uint8Array {
  const depth = random.pick(DEPTHS);
  const [open, middle, close] = random.pick([
    ["[", "", "]"],
    ['{"a":', "1", "}"],
    ['{"children":[', "", "]}"],
    ['{"payload":', "0", "}"],
    ['{"payload":{"children":[', "", "]}}"],
  ] as const);
  return encoder.encode(open.repeat(depth) + middle + (random.chance(0.9) ? close.repeat(depth) : ""));
}
