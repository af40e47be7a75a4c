/**
 * What stands for the item while the body of a `forEach` or `batch` is built at definition, when there is no item yet.
 * It can be read, called, written into texts and counted with, like anything an item may be. Two of different `seed`
 * differ in every text, number and list that is made of them: a body whose shape depends on its item is found out by
 * building it with both.
 */
const PLACEHOLDERS = new WeakSet<object>();
const NUMBERS = [-1e9, 1e9] as const;

export function placeholder(seed: 0 | 1): unknown {
  // A function, so that it can be called; as an arrow it has no property of its own that may not be hidden.
  const made: object = new Proxy(() => undefined, {
    get(_target, name) {
      switch (name) {
        case Symbol.toPrimitive:
          return (hint: string) => (hint === "number" ? NUMBERS[seed] : `item-${seed}`);
        case Symbol.iterator:
          return () => Array.from({ length: seed }, () => placeholder(seed))[Symbol.iterator]();
        case "length":
          return seed;
        // Not something to wait for, and not something with a JSON of its own.
        case "then":
        case "toJSON":
          return undefined;
        case "toString":
          return () => `item-${seed}`;
        case "valueOf":
          return () => NUMBERS[seed];
        default:
          return typeof name === "symbol" ? undefined : placeholder(seed);
      }
    },
    has: () => true,
    set: () => true,
    deleteProperty: () => true,
    ownKeys: () => [],
    getOwnPropertyDescriptor: () => undefined,
    apply: () => placeholder(seed),
    construct: () => placeholder(seed) as object,
  });
  PLACEHOLDERS.add(made);
  return made;
}

export function isPlaceholder(value: unknown): boolean {
  return typeof value === "function" && PLACEHOLDERS.has(value);
}
