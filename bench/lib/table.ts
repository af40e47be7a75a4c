/** Prints rows as an aligned table, in Markdown, so that it can be pasted. Numbers are aligned right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? cell.toLocaleString("en-US") : cell)));
  const widths = header.map((title, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const isNumeric = header.map((_, column) => cells.every((row) => /^[<>≥≤×0-9.,% -]*$/.test(row[column] ?? "")));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join(" | ")} |`;
  const rule = `| ${widths.map((width, column) => (isNumeric[column] ? `${"-".repeat(Math.max(width - 1, 2))}:` : "-".repeat(width))).join(" | ")} |`;
  return [line(header), rule, ...cells.map(line)].join("\n");
}

/** The value below which a part of the sorted values lies. */
export function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Significant digits that a noisy machine can vouch for. */
export function round(value: number, digits = 3): number {
  return Number(value.toPrecision(digits));
}

/** A progress line, only where a person looks. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
