import { formatIpv4, parseCidr } from "#base/cidr.ts";

/** Numbers from `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** The same numbers in the fewest ranges, in order, none touching another. */
export function merged(ranges: readonly Range[]): Range[] {
  const result: { first: number; last: number }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const previous = result.at(-1);
    if (previous !== undefined && first <= previous.last + 1) previous.last = Math.max(previous.last, last);
    else result.push({ first, last });
  }
  return result;
}

/** What of `ranges` is not in `holes`. */
export function without(ranges: readonly Range[], holes: readonly Range[]): Range[] {
  const cut = merged(holes);
  return merged(ranges).flatMap((range) => {
    const left: Range[] = [];
    let { first } = range;
    for (const hole of cut) {
      if (hole.last < first || range.last < hole.first) continue;
      if (first < hole.first) left.push({ first, last: hole.first - 1 });
      first = hole.last + 1;
    }
    if (first <= range.last) left.push({ first, last: range.last });
    return left;
  });
}

/** The addresses of a network; none when the text is no IPv4 network. */
export function cidrRange(cidr: string): Range[] {
  const parsed = parseCidr(cidr);
  return parsed === undefined ? [] : [{ first: parsed.first, last: parsed.first + parsed.size - 1 }];
}

/** As nftables writes an interval of addresses. */
export function addressText({ first, last }: Range): string {
  return first === last ? formatIpv4(first) : `${formatIpv4(first)}-${formatIpv4(last)}`;
}
