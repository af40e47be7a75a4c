/** A body as the value it stands for. */
import { LIMITS } from "../../native/generated.ts";
import { payloadInvalid } from "./error.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/** The body's text. Throws a 400 when it is not UTF-8. */
export function textOf(raw: Uint8Array): string {
  try {
    return decoder.decode(raw);
  } catch {
    throw payloadInvalid([{ path: "$", message: "not UTF-8" }]);
  }
}

/** The value of JSON text, `undefined` of none. Throws a 400. */
export function parseJson(text: string): unknown {
  if (text === "") return undefined;
  // The parser takes any depth; schemas, which come next, do not.
  if (isDeeper(text, LIMITS.VALUE_DEPTH)) {
    throw payloadInvalid([{ path: "$", message: `nested deeper than ${LIMITS.VALUE_DEPTH} levels` }]);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw payloadInvalid([{ path: "$", message: "not JSON" }]);
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Whether more brackets than `limit` are open at the same time, of a text that may or may not be JSON. */
function isDeeper(text: string, limit: number): boolean {
  let open = 0;
  let isInString = false;
  // What is not longer cannot be deeper.
  const length = text.length > limit ? text.length : 0;
  for (let index = 0; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (isInString) {
      if (code === BACKSLASH) index += 1;
      else if (code === QUOTE) isInString = false;
    } else if (code === QUOTE) isInString = true;
    else if (code === ARRAY || code === OBJECT) {
      open += 1;
      if (open > limit) return true;
    } else if (code === ARRAY_END || code === OBJECT_END) open -= 1;
  }
  return false;
}
