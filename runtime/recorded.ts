/**
 * The type of a value after it was recorded and read again: what `JSON.parse(JSON.stringify(value))` gives. Handlers
 * always see recorded values, before a restart as after it.
 */
export type Recorded<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? T
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends { toJSON(): infer J }
        ? Recorded<J>
        : T extends bigint | symbol | ((...args: never[]) => unknown)
          ? never
          : T extends readonly unknown[]
            ? { [K in keyof T]: Filled<Recorded<T[K]>> }
            : T extends object
              ? { [K in keyof T as T[K] extends symbol | ((...args: never[]) => unknown) ? never : K]: Recorded<T[K]> }
              : // biome-ignore lint/suspicious/noConfusingVoidType: what a handler without `return` gives
                [T] extends [void]
                ? undefined
                : T;

/** Where JSON always has a value, in lists and the outputs of branches: `null` stands for `undefined`. */
export type Filled<T> = undefined extends T ? Exclude<T, undefined> | null : T;
