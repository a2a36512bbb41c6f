import type { ComprehensionNode, Node } from "./ast.ts";
import { EvaluationFailure, fail } from "./failure.ts";
import { charge, chargeFailure, type Frame, type Run } from "./frame.ts";
import { traversalFactor } from "./library.ts";
import type { Loop } from "./progress.ts";
import { ArrayList, EntryMap, ListValue, MapValue, none, Optional, type Value } from "./value.ts";

/** What a kind of comprehension makes of the elements. */
interface Kind<State> {
  begin(): State;
  /** One element, whose variables are set; false when no further ones count. */
  visit(frame: Frame, state: State): boolean;
  end(state: State): Value;
}

/** `all`, `map` and the others: one loop over what each of them makes of an element. */
export function compileComprehension(node: ComprehensionNode, compile: (node: Node) => Run): Run {
  const range = compile(node.range);
  const body = compile(node.body);
  const condition = node.condition === undefined ? undefined : compile(node.condition);
  const [first = 0, second] = node.slots ?? [];
  const loop = <State>(kind: Kind<State>): Run => compileLoop(range, first, second, kind);
  switch (node.kind) {
    case "all":
    case "exists":
      return loop(quantifier(body, node.kind === "exists"));
    case "existsOne":
      return loop(existsOne(body));
    case "filter":
      return loop(
        listOf((frame, kept) => {
          if (truth(body(frame))) kept.push(frame.slots[first] ?? null);
        }),
      );
    case "map":
    case "transformList":
      return loop(
        listOf((frame, made) => {
          if (condition === undefined || truth(condition(frame))) made.push(body(frame));
        }),
      );
    case "transformMap":
    case "transformMapEntry":
      return loop(transformMap(body, condition, node.kind === "transformMap" ? first : undefined));
    case "optMap":
    case "optFlatMap":
      return compileOptional(range, body, first, node.kind === "optFlatMap");
  }
}

/** Cost units of listing one key. */
const keyCost = 3;

/** Visits each element with the variables set. A loop that was interrupted goes on with the element that it was at. */
function compileLoop<State>(range: Run, first: number, second: number | undefined, kind: Kind<State>): Run {
  return (frame) => {
    const { progress } = frame;
    const known = progress?.find(kind) as Loop<State> | undefined;
    if (known !== undefined) frame.cost = known.cost;
    if (known?.result !== undefined) return known.result;
    const loop = known ?? beginLoop(range(frame), frame, kind.begin());
    if (known === undefined) progress?.begin(kind, loop);
    while (setElement(loop, frame, first, second)) {
      const goesOn = kind.visit(frame, loop.state);
      loop.next += 1;
      loop.key = undefined;
      progress?.advance(loop, frame.cost);
      if (!goesOn) break;
    }
    const result = kind.end(loop.state);
    loop.result = result;
    return result;
  };
}

function beginLoop<State>(range: Value, frame: Frame, state: State): Loop<State> {
  const isMap = range instanceof MapValue;
  if (!isMap && !(range instanceof ListValue)) return fail("no such overload");
  // The keys are gathered at once, also when the first of them decides.
  if (isMap) charge(frame, range.countedSize * keyCost);
  const keys = isMap ? range.keys()[Symbol.iterator]() : undefined;
  const before = frame.progress?.count ?? 0;
  return { range, keys, key: undefined, next: 0, state, cost: frame.cost, result: undefined, before };
}

/** Sets the variables to the element that comes next; false when there is none. */
function setElement(loop: Loop, frame: Frame, first: number, second: number | undefined): boolean {
  const { range, keys, next } = loop;
  const { slots } = frame;
  if (range instanceof ListValue) {
    if (range.size <= next) return false;
    charge(frame, 2);
    const value = range.at(next);
    if (value instanceof Uint8Array) charge(frame, Math.ceil(value.length * traversalFactor));
    if (second === undefined) slots[first] = value;
    else {
      slots[first] = BigInt(next);
      slots[second] = value;
    }
    return true;
  }
  if (loop.key === undefined) {
    const step = keys?.next();
    if (step === undefined || step.done === true) return false;
    loop.key = step.value;
  }
  charge(frame, 2);
  slots[first] = loop.key;
  if (second !== undefined) slots[second] = range.get(loop.key) ?? null;
  return true;
}

function truth(value: Value): boolean {
  return typeof value === "boolean" ? value : fail("no such overload");
}

/** An element that decides wins over errors of others. */
function quantifier(
  body: Run,
  deciding: boolean,
): Kind<{ failure: EvaluationFailure | undefined; isDecided: boolean }> {
  return {
    begin: () => ({ failure: undefined, isDecided: false }),
    visit: (frame, state) => {
      try {
        state.isDecided = truth(body(frame)) === deciding;
      } catch (error) {
        if (!(error instanceof EvaluationFailure) || error.isFinal) throw error;
        state.failure ??= error;
        chargeFailure(frame);
      }
      return !state.isDecided;
    },
    end: ({ failure, isDecided }) => {
      if (isDecided) return deciding;
      if (failure !== undefined) throw failure;
      return !deciding;
    },
  };
}

function existsOne(body: Run): Kind<{ count: number }> {
  return {
    begin: () => ({ count: 0 }),
    visit: (frame, state) => {
      if (truth(body(frame))) state.count += 1;
      return true;
    },
    end: ({ count }) => count === 1,
  };
}

function listOf(add: (frame: Frame, made: Value[]) => void): Kind<Value[]> {
  return {
    begin: () => [],
    visit: (frame, made) => {
      add(frame, made);
      return true;
    },
    end: (made) => new ArrayList(made),
  };
}

/** `keySlot` holds the key of the entry; without it the body makes entries of its own. */
function transformMap(body: Run, condition: Run | undefined, keySlot: number | undefined): Kind<EntryMap> {
  return {
    begin: () => new EntryMap(),
    visit: (frame, result) => {
      if (condition !== undefined && !truth(condition(frame))) return true;
      const made = body(frame);
      if (keySlot !== undefined) result.add(frame.slots[keySlot] ?? null, made);
      else if (!(made instanceof MapValue)) fail("no such overload");
      else for (const key of made.keys()) result.add(key, made.get(key) ?? null);
      return true;
    },
    end: (result) => result,
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
