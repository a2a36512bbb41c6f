/** `0-2,5` as numbers in order; what lies outside of `completions` is dropped. */
export function parseIndexes(text: string | undefined, completions: number): number[] {
  const indexes: number[] = [];
  for (const part of (text ?? "").split(",")) {
    const match = /^([0-9]{1,9})(?:-([0-9]{1,9}))?$/.exec(part);
    if (match === null) continue;
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let index = Number(match[1]); index <= last; index++) indexes.push(index);
  }
  return indexes;
}

/** Sorted numbers as `0-2,5`; two neighbours are written `3,4`. */
export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...new Set(indexes)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let at = 0; at < sorted.length;) {
    let end = at;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end]! + 1) end++;
    if (end === at) parts.push(String(sorted[at]));
    else parts.push(end === at + 1 ? `${sorted[at]},${sorted[end]}` : `${sorted[at]}-${sorted[end]}`);
    at = end + 1;
  }
  return parts.join(",");
}
