/** Durations as one writes them: `3d`, `1h30m`, `250ms`. */
const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

export function durationText(ms: number): string {
  let rest = Math.max(Math.round(ms), 0);
  let text = "";
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * length;
  }
  return text === "" ? "0ms" : text;
}
