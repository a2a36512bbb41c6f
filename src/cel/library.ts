import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

/** Sizes of the operands: characters, bytes, elements, entries; 1 for everything else. */
export type Sizes = readonly number[];

/** Cost units of a call from the sizes of its operands; while it runs, the operands themselves are known too. */
export type Cost = (sizes: Sizes, operands?: readonly Value[]) => number;

/** Cost units of a call of these operands. */
export type Price = (...operands: Value[]) => number;

/** One meaning of a function. */
export interface Overload {
  readonly name: string;
  /** Written `receiver.name(…)`; the receiver is the first of `parameters`. */
  readonly isMember: boolean;
  readonly parameters: readonly Type[];
  readonly result: Type;
  /** Fails by throwing an EvaluationFailure. */
  readonly evaluate: (...operands: Value[]) => Value;
  /** Cost units of a call beyond its operands; 1 when absent. */
  readonly cost?: Cost;
  /** The same while it runs, where the operands themselves say it: to count those is long enough. */
  readonly price?: Price;
  /** How big the result may be, where it has a size. */
  readonly resultSize?: (sizes: Sizes) => number;
}

export interface OverloadDetails {
  readonly cost?: Cost | undefined;
  readonly price?: Price | undefined;
  readonly resultSize?: Overload["resultSize"] | undefined;
}

type Evaluate = (...operands: never[]) => Value;

/** `name(…)`. The evaluation's parameters are of the declared types: the checker and the dispatch see to it. */
export function global(
  name: string,
  parameters: readonly Type[],
  result: Type,
  evaluate: Evaluate,
  details: OverloadDetails = {},
): Overload {
  return make(name, false, parameters, result, evaluate, details);
}

/** `receiver.name(…)`; the receiver's type is the first parameter. */
export function member(
  name: string,
  parameters: readonly Type[],
  result: Type,
  evaluate: Evaluate,
  details: OverloadDetails = {},
): Overload {
  return make(name, true, parameters, result, evaluate, details);
}

function make(
  name: string,
  isMember: boolean,
  parameters: readonly Type[],
  result: Type,
  evaluate: Evaluate,
  { cost, price, resultSize }: OverloadDetails,
): Overload {
  return {
    name,
    isMember,
    parameters,
    result,
    evaluate: evaluate as (...operands: Value[]) => Value,
    ...(cost !== undefined && { cost }),
    ...(price !== undefined && { price }),
    ...(resultSize !== undefined && { resultSize }),
  };
}

/** Reading a string once costs a tenth of a unit a character. */
export const traversalFactor = 0.1;
/** Each character of a regular expression counts for every character read. */
export const patternFactor = 0.25;

/**
 * The cost of what takes longer than its published units say: at run time it counts `units` more, so that a spent budget is a
 * spent tenth of a second whatever it was spent on. Estimates go by the published units.
 */
export function takes(units: number, published: Cost = () => 1): OverloadDetails & { readonly cost: Cost } {
  return {
    cost: (sizes, operands) => published(sizes, operands) + (operands === undefined ? 0 : units),
  };
}

/** One traversal of the operand at `index`. */
export function traversal(index = 0, times = 1): (sizes: Sizes) => number {
  return (sizes) => Math.ceil((sizes[index] ?? 1) * times * traversalFactor);
}
