import type { ComprehensionNode, Node } from "./ast.ts";
import { EvaluationFailure, fail } from "./failure.ts";
import { charge, chargeFailure, type Frame, type Run } from "./frame.ts";
import { traversalFactor } from "./library.ts";
import { ArrayList, EntryMap, ListValue, MapValue, none, Optional, type Value } from "./value.ts";

/** `all`, `map` and the others: each has a loop of its own. */
export function compileComprehension(node: ComprehensionNode, compile: (node: Node) => Run): Run {
  const range = compile(node.range);
  const body = compile(node.body);
  const condition = node.condition === undefined ? undefined : compile(node.condition);
  const [first = 0, second] = node.slots ?? [];
  const each = iteration(first, second);
  switch (node.kind) {
    case "all":
    case "exists":
      return compileQuantifier(range, body, each, node.kind === "exists");
    case "existsOne":
      return compileExistsOne(range, body, each);
    case "filter":
      return (frame) => {
        const kept: Value[] = [];
        each(range(frame), frame, () => {
          if (truth(body(frame))) kept.push(frame.slots[first] ?? null);
          return true;
        });
        return new ArrayList(kept);
      };
    case "map":
    case "transformList":
      return (frame) => {
        const made: Value[] = [];
        each(range(frame), frame, () => {
          if (condition === undefined || truth(condition(frame))) made.push(body(frame));
          return true;
        });
        return new ArrayList(made);
      };
    case "transformMap":
    case "transformMapEntry":
      return compileTransformMap(range, body, condition, each, node.kind === "transformMap" ? first : undefined);
    case "optMap":
    case "optFlatMap":
      return compileOptional(range, body, first, node.kind === "optFlatMap");
  }
}

/** Cost units of listing one key. */
const keyCost = 3;

/** Calls `visit` with the variables set for each element until it answers false. */
type Each = (range: Value, frame: Frame, visit: () => boolean) => void;

function iteration(first: number, second: number | undefined): Each {
  return (range, frame, visit) => {
    const { slots } = frame;
    if (range instanceof ListValue) {
      for (let i = 0; i < range.size; i += 1) {
        charge(frame, 2);
        const value = range.at(i);
        if (value instanceof Uint8Array) charge(frame, Math.ceil(value.length * traversalFactor));
        if (second === undefined) slots[first] = value;
        else {
          slots[first] = BigInt(i);
          slots[second] = value;
        }
        if (!visit()) return;
      }
      return;
    }
    if (!(range instanceof MapValue)) fail("no such overload");
    // The keys are gathered at once, also when the first of them decides.
    charge(frame, range.countedSize * keyCost);
    for (const key of range.keys()) {
      charge(frame, 2);
      slots[first] = key;
      if (second !== undefined) slots[second] = range.get(key) ?? null;
      if (!visit()) return;
    }
  };
}

function truth(value: Value): boolean {
  return typeof value === "boolean" ? value : fail("no such overload");
}

/** An element that decides wins over errors of others. */
function compileQuantifier(range: Run, body: Run, each: Each, deciding: boolean): Run {
  return (frame) => {
    let failure: EvaluationFailure | undefined;
    let isDecided = false;
    each(range(frame), frame, () => {
      try {
        isDecided = truth(body(frame)) === deciding;
      } catch (error) {
        if (!(error instanceof EvaluationFailure) || error.isFinal) throw error;
        failure ??= error;
        chargeFailure(frame);
      }
      return !isDecided;
    });
    if (isDecided) return deciding;
    if (failure !== undefined) throw failure;
    return !deciding;
  };
}

function compileExistsOne(range: Run, body: Run, each: Each): Run {
  return (frame) => {
    let count = 0;
    each(range(frame), frame, () => {
      if (truth(body(frame))) count += 1;
      return true;
    });
    return count === 1;
  };
}

/** `keySlot` holds the key of the entry; without it the body makes entries of its own. */
function compileTransformMap(
  range: Run,
  body: Run,
  condition: Run | undefined,
  each: Each,
  keySlot: number | undefined,
): Run {
  return (frame) => {
    const result = new EntryMap();
    each(range(frame), frame, () => {
      if (condition !== undefined && !truth(condition(frame))) return true;
      const made = body(frame);
      if (keySlot !== undefined) result.add(frame.slots[keySlot] ?? null, made);
      else if (!(made instanceof MapValue)) fail("no such overload");
      else for (const key of made.keys()) result.add(key, made.get(key) ?? null);
      return true;
    });
    return result;
  };
}

function compileOptional(range: Run, body: Run, slot: number, isFlat: boolean): Run {
  return (frame) => {
    charge(frame, 1);
    const value = range(frame);
    if (!(value instanceof Optional)) return fail("no such overload");
    if (value.value === undefined) return none;
    frame.slots[slot] = value.value;
    const result = body(frame);
    return isFlat ? result : new Optional(result);
  };
}
