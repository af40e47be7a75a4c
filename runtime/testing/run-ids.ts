/**
 * Run ids of lives that are told apart by their node: 42 bits of time, 8 of the node and 13 of a sequence, as 13 digits of
 * base 32 (native/src/ids.rs).
 */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RUN_ID = /run_[0-9A-HJKMNP-TV-Z]{13}/g;

/** The bits of the node are in the last digits. */
const LAST = 5;
const NODE = 0xff << 13;

/** The id that a run has in the life of another node. */
export function withNode(runId: string, node: number): string {
  const digits = [...runId.slice(-LAST)];
  const bits = digits.reduce((sum, digit) => (sum << 5) | DIGITS.indexOf(digit), 0);
  const changed = (bits & ~NODE) | (node << 13);
  const last = digits.map((_, place) => DIGITS[(changed >> (5 * (LAST - 1 - place))) & 31]);
  return runId.slice(0, -LAST) + last.join("");
}

/** A text with these ids as they are in the life of another node. Others are left as they are. */
export function withNodeIn(text: string, runIds: ReadonlySet<string>, node: number): string {
  return text.replace(RUN_ID, (runId) => (runIds.has(runId) ? withNode(runId, node) : runId));
}
