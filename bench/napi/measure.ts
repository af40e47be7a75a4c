/** Rounds that alternate between what is compared, so that a noisy moment hits all of it. */

/** What one round took, by what was done: nanoseconds of one call. */
export type Sample = Record<string, number>;

/** The samples of all rounds, by who took part. */
export type Samples = Record<string, Sample[]>;

/** Nanoseconds of one of so many calls. */
export function nanoseconds(calls: number, work: () => void): number {
  const began = performance.now();
  work();
  return ((performance.now() - began) * 1e6) / calls;
}

/** Each in turn, so many rounds; the first ones only warm up. */
export async function alternate<T extends { readonly name: string }>(
  all: readonly T[],
  rounds: number,
  round: (one: T) => Sample | Promise<Sample>,
): Promise<Samples> {
  const samples: Samples = Object.fromEntries(all.map(({ name }) => [name, []]));
  const warmUps = Math.max(1, rounds >> 2);
  for (let turn = -warmUps; turn < rounds; turn += 1) {
    for (const one of all) {
      const sample = await round(one);
      if (turn >= 0) samples[one.name]?.push(sample);
    }
  }
  return samples;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return { min: at(0), median: at(sorted.length >> 1), max: at(sorted.length - 1) };
}

/** How one thing did over the rounds. */
export function times(samples: Samples, name: string, work: string): Spread {
  return spread((samples[name] ?? []).map((sample) => sample[work] ?? Number.NaN));
}

/** By how much one was slower than another, round by round. */
export function ratio(samples: Samples, slow: string, fast: string, work: string): Spread {
  const of = (name: string): number[] => (samples[name] ?? []).map((sample) => sample[work] ?? Number.NaN);
  const divisors = of(fast);
  return spread(of(slow).map((time, round) => time / (divisors[round] ?? Number.NaN)));
}
