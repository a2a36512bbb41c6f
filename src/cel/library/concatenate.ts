import { weightOf } from "../weight.ts";
import { ArrayList, identityOf, ListValue, type Value } from "../value.ts";

/** Two lists one behind the other, without copying them: chains of additions stay linear. */
class JoinedList extends ListValue {
  readonly #left: ListValue;
  readonly #right: ListValue;
  readonly size: number;
  #weight: number | undefined;

  constructor(left: ListValue, right: ListValue) {
    super();
    this.#left = left;
    this.#right = right;
    this.size = left.size + right.size;
  }

  /** Looked for once: what is put together again and again is not looked through again and again. */
  override get knownWeight(): number {
    return (this.#weight ??= weightOf(this.#left) + weightOf(this.#right));
  }

  at(index: number): Value {
    return index < this.#left.size ? this.#left.at(index) : this.#right.at(index - this.#left.size);
  }
}

class MergedList extends ArrayList {
  readonly #mergeBy: "set" | readonly string[];

  constructor(values: readonly Value[], mergeBy: "set" | readonly string[]) {
    super(values);
    this.#mergeBy = mergeBy;
  }

  override get mergeBy(): "set" | readonly string[] {
    return this.#mergeBy;
  }
}

/** `left + right`; sets become their union, maps take the right one's elements under their keys. */
export function concatenateLists(left: ListValue, right: ListValue): ListValue {
  if (right.size === 0) return left;
  if (left.mergeBy === undefined) return left.size === 0 ? right : new JoinedList(left, right);
  const { mergeBy } = left;
  const merged = new Map<string, Value>();
  for (const values of [left, right]) {
    for (let i = 0; i < values.size; i += 1) merged.set(identityOf(values.at(i), mergeBy), values.at(i));
  }
  return new MergedList([...merged.values()], mergeBy);
}
