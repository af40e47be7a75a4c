/** How deep JSON is, before it is parsed: the parser takes any depth, what comes after it does not. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** Whether more brackets than `limit` are open at the same time, of a text that may or may not be JSON. */
export function isDeeper(text: string, limit: number): boolean {
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
