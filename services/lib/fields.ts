/** What built-in services are configured by: an object of fields, as a Standard Schema of a page. */
import type { StandardSchemaV1 } from "@standard-schema/spec";

/** Reads one field; throws `Wrong` when it is not what it should be. */
export interface Field<In, Out = In> {
  readonly read: (given: unknown) => Out;
  /** For the compiler only. */
  readonly input?: In;
}

class Wrong extends Error {}

type Fields = Readonly<Record<string, Field<unknown, unknown>>>;
type In<F> = F extends Field<infer I, unknown> ? I : never;
type Out<F> = F extends Field<unknown, infer O> ? O : never;
type MayBeLeftOut<F> = { [K in keyof F]: undefined extends In<F[K]> ? K : never }[keyof F];
type Input<F> = { readonly [K in Exclude<keyof F, MayBeLeftOut<F>>]: In<F[K]> } & {
  readonly [K in MayBeLeftOut<F>]?: In<F[K]>;
};
type Output<F> = { readonly [K in keyof F]: Out<F[K]> };

/** An object of these fields and no others. */
export function object<F extends Fields>(fields: F): StandardSchemaV1<Input<F>, Output<F>> {
  const validate = (given: unknown): StandardSchemaV1.Result<Output<F>> => {
    if (typeof given !== "object" || given === null) return { issues: [{ message: "give an object" }] };
    const values: Record<string, unknown> = {};
    const issues: StandardSchemaV1.Issue[] = [];
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(fields, name)) issues.push({ path: [name], message: "there is no such field" });
    }
    for (const [name, { read }] of Object.entries(fields)) {
      try {
        values[name] = read((given as Record<string, unknown>)[name]);
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        issues.push({ path: [name], message: error.message });
      }
    }
    // Each field was read by its own reader.
    return issues.length > 0 ? { issues } : { value: values as Output<F> };
  };
  return { "~standard": { version: 1, vendor: "cronflow", validate } };
}

/** A text that is not empty. */
export const text: Field<string> = {
  read: (given) => (typeof given === "string" && given !== "" ? given : wrong("give a text")),
};

/** An address of HTTP. */
export const httpUrl: Field<string> = {
  read: (given) =>
    typeof given === "string" && /^https?:$/.test(URL.parse(given)?.protocol ?? "")
      ? given
      : wrong("give an address that begins with http:// or https://"),
};

export const flag: Field<boolean> = {
  read: (given) => (typeof given === "boolean" ? given : wrong("give true or false")),
};

/** A whole number within bounds. */
export function whole(least: number, most: number): Field<number> {
  return {
    read: (given) =>
      Number.isInteger(given) && (given as number) >= least && (given as number) <= most
        ? (given as number)
        : wrong(`give a whole number from ${least} to ${most}`),
  };
}

export function list<I, O>(field: Field<I, O>): Field<readonly I[], readonly O[]> {
  return { read: (given) => (Array.isArray(given) ? given.map((item) => field.read(item)) : wrong("give a list")) };
}

/** Texts by name. */
export const texts: Field<Readonly<Record<string, string>>> = {
  read: (given) => {
    if (typeof given !== "object" || given === null) return wrong("give an object of texts");
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, text.read(value)]));
  },
};

/** A field that may be left out. */
export function optional<I, O>(field: Field<I, O>): Field<I | undefined, O | undefined> {
  return { read: (given) => (given === undefined ? undefined : field.read(given)) };
}

/** A field that is `standard` when it is left out. */
export function otherwise<I, O>(field: Field<I, O>, standard: O): Field<I | undefined, O> {
  return { read: (given) => (given === undefined ? standard : field.read(given)) };
}

/** How long a service waits for an answer: milliseconds, 30,000 when it is left out. */
export const timeoutMs: Field<number | undefined, number> = otherwise(whole(1, 3_600_000), 30_000);

function wrong(message: string): never {
  throw new Wrong(message);
}
