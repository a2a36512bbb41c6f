/**
 * How many distinct users a sketch of them has seen: each register holds the highest rank of the users that fell to it, 0 when none
 * did. HyperLogLog, Flajolet et al. 2007, with linear counting where few came; the error is about 1.04 / sqrt(registers).
 */
export function distinctUsers(registers: readonly number[]): number {
  const count = registers.length;
  if (count === 0) return 0;
  let harmonic = 0;
  let empty = 0;
  for (const rank of registers) {
    harmonic += 2 ** -rank;
    if (rank === 0) empty += 1;
  }
  const estimate = ((0.7213 / (1 + 1.079 / count)) * count * count) / harmonic;
  return Math.round(estimate <= 2.5 * count && empty > 0 ? count * Math.log(count / empty) : estimate);
}

/** The sketch of whoever is in one of the two. */
export function joinSketches(one: readonly number[], other: readonly number[]): number[] {
  return Array.from({ length: Math.max(one.length, other.length) }, (_, at) => Math.max(one[at] ?? 0, other[at] ?? 0));
}
