/** Finds the paths that are in each other's way without comparing each with all the others. */
import { type PathPattern, relation } from "../definition/webhook-path.ts";

/** Why two paths cannot both be there. */
export type Clash = "same" | "unclear";

/** What was added under a path. */
interface Entry<Value> {
  readonly pattern: PathPattern;
  readonly value: Value;
  readonly position: number;
}

type Segment = PathPattern["segments"][number];

/** The least of the ranks: a text. */
const LITERAL: Segment["rank"] = 0;

export class Patterns<Value> {
  readonly #shapes = new Map<string, Shape<Value>>();
  #size = 0;

  add(pattern: PathPattern, value: Value): void {
    this.#shapeOf(pattern).add({ pattern, value, position: this.#size });
    this.#size += 1;
  }

  /** The first that was added of those that clash with a path. */
  firstInTheWayOf(pattern: PathPattern): { readonly value: Value; readonly clash: Clash } | undefined {
    const mine = this.#shapeOf(pattern);
    let first: Entry<Value> | undefined;
    for (const shape of this.#shapes.values()) {
      if (!mine.mayClashWith(shape)) continue;
      const found = shape.matching(pattern, mine).find((entry) => clashOf(pattern, entry.pattern) !== undefined);
      if (found !== undefined && found.position < (first?.position ?? Number.POSITIVE_INFINITY)) first = found;
    }
    return first && { value: first.value, clash: clashOf(pattern, first.pattern) as Clash };
  }

  #shapeOf({ segments }: PathPattern): Shape<Value> {
    const key = segments.map(({ rank }) => rank).join(".");
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    const shape = new Shape<Value>(key, segments);
    this.#shapes.set(key, shape);
    return shape;
  }
}

/**
 * The paths whose parts have the same ranks, such as `/:x/a` and `/:y/b`. How two of them stand to two of another shape
 * differs only in whether they are disjoint, and those whose texts differ at the same place are: so most shapes need not be
 * looked at, and of the others only those with the texts of the path that is compared.
 */
class Shape<Value> {
  readonly #literals: readonly number[];
  /** Stands for all: its texts are everybody's, its patterns match all texts and are nobody else's. */
  readonly #representative: PathPattern;
  readonly #entries: Entry<Value>[] = [];
  /** The entries by their texts at some places, made when they are first asked for at these. */
  readonly #byTexts = new Map<
    string,
    { readonly places: readonly number[]; readonly entries: Map<string, Entry<Value>[]> }
  >();
  readonly #mayClash = new Map<Shape<Value>, boolean>();

  constructor(key: string, segments: readonly Segment[]) {
    this.#literals = [...segments.keys()].filter((index) => segments[index]?.rank === LITERAL);
    this.#representative = {
      path: "/",
      segments: segments.map(({ rank, text }) => ({
        rank,
        text: rank === LITERAL ? "text" : text && `[^]*|${key}`,
      })),
    };
  }

  add(entry: Entry<Value>): void {
    this.#entries.push(entry);
    for (const { places, entries } of this.#byTexts.values()) put(entries, textsAt(entry.pattern, places), entry);
  }

  /** Whether a path of this shape may clash with one of another, or of the same. */
  mayClashWith(other: Shape<Value>): boolean {
    const known = this.#mayClash.get(other);
    if (known !== undefined) return known;
    const mayClash = clashOf(this.#representative, other.#representative) !== undefined;
    this.#mayClash.set(other, mayClash);
    return mayClash;
  }

  /** Those that have the same texts as a path of some shape, wherever both have texts, in the order of adding. */
  matching(pattern: PathPattern, shape: Shape<Value>): readonly Entry<Value>[] {
    const places = this.#literals.filter((index) => shape.#literals.includes(index));
    const key = places.join(".");
    let index = this.#byTexts.get(key);
    if (index === undefined) {
      index = { places, entries: new Map() };
      this.#byTexts.set(key, index);
      for (const entry of this.#entries) put(index.entries, textsAt(entry.pattern, places), entry);
    }
    return index.entries.get(textsAt(pattern, places)) ?? [];
  }
}

function clashOf(one: PathPattern, other: PathPattern): Clash | undefined {
  const found = relation(one, other);
  return found === "same" || found === "unclear" ? found : undefined;
}

/** No text has a slash. */
function textsAt({ segments }: PathPattern, places: readonly number[]): string {
  return places.map((index) => segments[index]?.text).join("/");
}

function put<Item>(lists: Map<string, Item[]>, key: string, item: Item): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
