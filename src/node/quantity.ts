const suffixes: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A resource quantity as a number: `100m` is 0.1, `1Gi` 2^30. Exact enough for what the kernel takes; NaN when malformed. */
export function quantityValue(text: string): number {
  const match = /^([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|([a-zA-Z]*))$/.exec(text);
  if (match === null) return Number.NaN;
  const exponent = match[2] === undefined ? 1 : 10 ** Number(match[2]);
  return Number(match[1]) * exponent * (suffixes[match[3] ?? ""] ?? Number.NaN);
}

/** Thousandths, rounded up: `0.1` is 100. */
export function milliValue(text: string): number {
  return Math.ceil(Number((quantityValue(text) * 1000).toFixed(6)));
}

/** Units, rounded up. */
export function wholeValue(text: string): number {
  return Math.ceil(Number(quantityValue(text).toFixed(6)));
}
