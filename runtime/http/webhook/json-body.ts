/** A body as the value it stands for. */
import { LIMITS } from "../../native/generated.ts";
import { isDeeper } from "../depth.ts";
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
