/** Names that do not exist, and which may have been meant. */

/** The most similar name, if one is similar enough to be a slip. */
function closest(wanted: string, names: Iterable<string>): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of names) {
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, wanted.length / 3) ? best.name : undefined;
}

/** "Did you mean `charge`?", or which there are. */
export function suggestion(wanted: string, names: Iterable<string>): string {
  const all = [...names];
  const meant = closest(wanted, all);
  if (meant !== undefined) return `Did you mean \`${meant}\`?`;
  return all.length === 0 ? "It has none." : `There are ${all.map((name) => `\`${name}\``).join(", ")}.`;
}

/** How many characters are to be changed, added or taken away (Levenshtein). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let line = 1; line <= one.length; line += 1) {
    const next = [line];
    for (let column = 1; column <= other.length; column += 1) {
      const changed = (row[column - 1] as number) + (one[line - 1] === other[column - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[column] as number) + 1, (next[column - 1] as number) + 1));
    }
    row = next;
  }
  return row[other.length] as number;
}
