/** The paths of webhooks: what may be written, and which of two is meant by a request that both match. */
import { invalid, shown } from "./check.ts";

/** How much a part of a path matches, from the least to the most. */
const Rank = {
  /** The text itself. */
  literal: 0,
  /** `:name{pattern}`: one part, if it is of this form. */
  shaped: 1,
  /** `:name`, or `*` between others: any one part. */
  any: 2,
  /** `:name{pattern}` whose pattern may match slashes, too. */
  long: 3,
  /** `*` at the end: whatever follows, or nothing. */
  rest: 4,
} as const;

interface Segment {
  readonly rank: (typeof Rank)[keyof typeof Rank];
  /** The text, or the pattern. */
  readonly text: string;
}

/** One path that can be matched. */
export interface PathPattern {
  readonly path: `/${string}`;
  readonly segments: readonly Segment[];
}

/** How a path stands to another one. */
export type Relation =
  /** Nothing matches both. */
  | "disjoint"
  /** The same matches both. */
  | "same"
  /** It is the more specific one: it comes first. */
  | "narrower"
  /** The other one comes first. */
  | "wider"
  /** Some requests may match both, and neither is the more specific one. */
  | "unclear";

/**
 * The paths that are written as one: two or more if parameters at its end may be left out. Throws an `InvalidError` for
 * what would never match, or not what it looks like.
 */
export function pathPatterns(workflowId: string, path: unknown): readonly PathPattern[] {
  if (typeof path !== "string" || !/^\/[^\s#]*$/.test(path)) {
    throw invalid(`Workflow \`${workflowId}\`: the webhook's path is ${shown(path)}; give one like "/orders/:id".`);
  }
  const where = `Workflow \`${workflowId}\`, webhook \`${path}\``;
  const encoded = /%[0-9a-f]{2}/i.exec(path)?.[0];
  if (encoded !== undefined) {
    throw invalid(
      `${where}: paths are compared decoded, so \`${encoded}\` never matches. Write the character itself, or a parameter (\`:name\`) where that cannot be.`,
    );
  }
  const parts = path.slice(1).split(BETWEEN_PARTS);
  const segments = parts.map((part, index) => segmentOf(where, part, index === parts.length - 1, parts));
  checkNames(where, parts);
  const firstOptional = parts.findIndex(isOptional);
  if (firstOptional === -1) return [{ path: path as `/${string}`, segments }];
  if (!parts.slice(firstOptional).every(isOptional)) {
    throw invalid(`${where}: only parameters at the end may be left out; give it two webhooks.`);
  }
  return Array.from({ length: parts.length - firstOptional + 1 }, (_, more) => {
    const length = firstOptional + more;
    const written = parts.slice(0, length).map((part) => (isOptional(part) ? part.slice(0, -1) : part));
    // Without any part it is the root, which has one: the empty text.
    return length === 0
      ? { path: "/", segments: [{ rank: Rank.literal, text: "" }] }
      : { path: `/${written.join("/")}`, segments: segments.slice(0, length) };
  });
}

/** Which of two paths is for the requests that match both. */
export function relation(one: PathPattern, other: PathPattern): Relation {
  const found = new Set<Relation>();
  for (let index = 0; ; index += 1) {
    const [mine, its] = [one.segments[index], other.segments[index]];
    if (mine === undefined && its === undefined) break;
    found.add(segmentRelation(mine, its));
    if (isLast(mine) || isLast(its)) break;
  }
  found.delete("same");
  if (found.has("disjoint")) return "disjoint";
  const [first, ...more] = found;
  return more.length > 0 ? "unclear" : (first ?? "same");
}

/** Sorts the more specific paths before those that would hide them. */
export function bySpecificity(one: PathPattern, other: PathPattern): number {
  for (let index = 0; ; index += 1) {
    const [mine, its] = [one.segments[index], other.segments[index]];
    if (mine === undefined && its === undefined) return 0;
    const difference = rankOf(mine) - rankOf(its);
    if (difference !== 0) return difference;
  }
}

/** Slashes, but for those inside of a parameter's pattern. */
const BETWEEN_PARTS = /\/(?![^{]*\})/;
const PARAMETER = /^:([^{}?*:]+)(?:\{(.+)\})?\??$/;

function segmentOf(where: string, part: string, isAtEnd: boolean, parts: readonly string[]): Segment {
  if (part === "*") return { rank: isAtEnd ? Rank.rest : Rank.any, text: "" };
  const [isParameter, , pattern] = PARAMETER.exec(part) ?? [];
  if (isParameter === undefined) return literal(where, part, parts);
  if (pattern === undefined) return { rank: Rank.any, text: "" };
  if (!isPattern(pattern)) throw invalid(`${where}: \`{${pattern}}\` is no pattern that a part of a path can match.`);
  if (isWithinPart(pattern)) return { rank: Rank.shaped, text: pattern };
  if (isAtEnd) return { rank: Rank.long, text: pattern };
  throw invalid(`${where}: \`{${pattern}}\` may match slashes, which only a parameter at the end may.`);
}

function literal(where: string, part: string, parts: readonly string[]): Segment {
  const query = /\?.*/.exec(part)?.[0];
  if (query !== undefined) {
    throw invalid(
      `${where}: \`${query}\` would be a query, which is no part of a path. Leave it out and look at the request's own, such as in \`condition\`; only a parameter may end with \`?\`, as in "/orders/:id?".`,
    );
  }
  if (/[*{}]/.test(part)) {
    throw invalid(
      `${where}: the part \`${part}\` would not match as it is; write a parameter as \`:name\`, and \`*\` alone.`,
    );
  }
  // In a path without parameters it is a character like others.
  if (/.:/.test(part) && parts.some((other) => other === "*" || other.startsWith(":"))) {
    throw invalid(`${where}: a parameter is a whole part of the path; \`${part}\` is none.`);
  }
  return { rank: Rank.literal, text: part };
}

function checkNames(where: string, parts: readonly string[]): void {
  const names = new Set<string>();
  for (const part of parts) {
    const name = PARAMETER.exec(part)?.[1];
    if (name === undefined) continue;
    if (names.has(name)) throw invalid(`${where}: two of its parameters are called \`${name}\`; rename one.`);
    names.add(name);
  }
}

function isOptional(part: string): boolean {
  return part.endsWith("?") && PARAMETER.test(part);
}

/** Whether it can be used, and does not match nothing: then there would be no part. */
function isPattern(pattern: string): boolean {
  try {
    return !new RegExp(`^(?:${pattern})$`).test("");
  } catch {
    return false;
  }
}

/**
 * Whether a pattern is known not to match a slash: characters, classes of them, and sets that leave slashes out. Ranges
 * are only taken from a letter or digit to another: no slash lies between them.
 */
function isWithinPart(pattern: string): boolean {
  return /^(?:[\w|()?:+*,{}~@!-]|\\[dw.-]|\[(?:\w-\w|\\[dw.-]|[\w.~@])*-?\]|\[\^[^\]]*\/[^\]]*\])+$/.test(pattern);
}

const isLast = (segment: Segment | undefined): boolean => rankOf(segment) >= Rank.long;

/** The end of a path matches less than anything. */
const rankOf = (segment: Segment | undefined): number => segment?.rank ?? -1;

function segmentRelation(mine: Segment | undefined, its: Segment | undefined): Relation {
  if (rankOf(mine) > rankOf(its)) return segmentRelation(its, mine) === "disjoint" ? "disjoint" : "wider";
  if (its === undefined) return "same";
  // Only the rest may be nothing.
  if (mine === undefined) return its.rank === Rank.rest ? "narrower" : "disjoint";
  if (mine.rank === its.rank) {
    if (mine.text === its.text) return "same";
    return mine.rank === Rank.literal ? "disjoint" : "unclear";
  }
  return mine.rank === Rank.literal && !mayBe(mine.text, its) ? "disjoint" : "narrower";
}

function mayBe(text: string, { rank, text: pattern }: Segment): boolean {
  if (rank === Rank.shaped) return new RegExp(`^(?:${pattern})$`).test(text);
  // Parameters are not empty; what a pattern with slashes matches goes on behind this text.
  return rank !== Rank.any || text !== "";
}
