import type { CallNode, ListNode, MapNode, Node, ObjectNode, SelectNode } from "./ast.ts";
import { compileComprehension } from "./compile-comprehension.ts";
import { EvaluationFailure, fail } from "./failure.ts";
import { advance, charge, chargeFailure, type Frame, type Run } from "./frame.ts";
import { traversalFactor, type Overload } from "./library.ts";
import { isOfType, sizesOf } from "./run-time-types.ts";
import { formatType, isNullable, type Type } from "./types.ts";
import { ArrayList, EntryMap, ListValue, MapValue, none, Optional, typeNameOf, type Value } from "./value.ts";
import { Unweighed } from "./weight.ts";

/** Turns a checked expression into functions: evaluating walks no tree. */
export function compile(node: Node): Run {
  switch (node.node) {
    case "literal":
    case "identifier":
      return compileName(node);
    case "select":
      return compileSelect(node);
    case "call":
      return compileCall(node);
    case "logical":
      return compileLogical(node.operands.map(compile), node.operator === "||");
    case "list":
      return compileList(node);
    case "map":
      return compileMap(node);
    case "object":
      return compileObject(node);
    case "comprehension":
      return compileComprehension(node, compile);
    case "bind":
      return compileBind(node.slot ?? 0, compile(node.value), compile(node.body));
  }
}

function compileName(node: Extract<Node, { node: "literal" | "identifier" }>): Run {
  const constant = node.node === "literal" ? node.value : node.constant;
  if (constant !== undefined) return () => constant;
  const slot = node.node === "identifier" ? (node.slot ?? 0) : 0;
  const name = node.node === "identifier" ? node.name : "";
  return (frame) => {
    frame.cost += 1;
    const value = frame.slots[slot];
    return value === undefined ? fail(`no such attribute(s): ${name}`) : value;
  };
}

function compileBind(slot: number, value: Run, body: Run): Run {
  return (frame) => {
    frame.slots[slot] = value(frame);
    return body(frame);
  };
}

/** Errors count only when no operand decides. */
function compileLogical(operands: readonly Run[], deciding: boolean): Run {
  return (frame) => {
    let failure: EvaluationFailure | undefined;
    for (let i = 0; i < operands.length; i += 1) {
      try {
        const value = operands[i]!(frame);
        if (value === deciding) return deciding;
        if (typeof value !== "boolean") failure ??= new EvaluationFailure("no such overload");
      } catch (error) {
        if (!(error instanceof EvaluationFailure) || error.isFinal) throw error;
        failure ??= error;
        chargeFailure(frame);
      }
    }
    if (failure !== undefined) throw failure;
    return !deciding;
  };
}

function compileSelect(node: SelectNode): Run {
  if (node.qualified !== undefined) return compileName(node.qualified);
  const operand = compile(node.operand);
  const { field, isOptional, isTest } = node;
  if (isTest) {
    return (frame) => {
      const value = opened(operand(frame));
      return value === undefined ? false : fieldOf(value, field) !== undefined;
    };
  }
  if (isOptional || node.operand.type?.kind === "optional") {
    return (frame) => {
      charge(frame, 1);
      const value = opened(operand(frame));
      return optionalOf(value === undefined ? undefined : fieldOf(value, field));
    };
  }
  return (frame) => {
    charge(frame, 1);
    const value = operand(frame);
    if (value instanceof Optional) return optionalOf(value.value && fieldOf(value.value, field));
    const found = fieldOf(value, field);
    // They were read from base64 just now.
    if (found instanceof Uint8Array) charge(frame, Math.ceil(found.length * traversalFactor));
    return found === undefined ? fail(`no such key: ${field}`) : found;
  };
}

/** What an optional holds; a value that is none stays as it is. */
function opened(value: Value): Value | undefined {
  return value instanceof Optional ? value.value : value;
}

function optionalOf(value: Value | undefined): Optional {
  if (value === undefined) return none;
  return value instanceof Optional ? value : new Optional(value);
}

function fieldOf(value: Value, field: string): Value | undefined {
  if (value instanceof MapValue) return value.field(field);
  return fail(value === null ? `no such key: ${field}` : "no such overload");
}

function compileCall(node: CallNode): Run {
  const nodes = node.operands ?? [];
  const operands = nodes.map(compile);
  if (node.name === "_?_:_") return compileConditional(operands as [Run, Run, Run]);
  const overloads = node.overloads ?? [];
  if (overloads.length === 0) return compileOptionalIndex(operands as [Run, Run]);
  const types = nodes.map(({ type }) => type ?? { kind: "dyn" as const });
  const [only] = overloads;
  if (only !== undefined && overloads.length === 1 && types.every((type, i) => isExact(type, only.parameters[i]!))) {
    return compileDirect(only, operands);
  }
  return compileDispatch(overloads, operands, node.name);
}

/** Whether values of this static type need no look at run time before they go to the parameter. */
function isExact(type: Type, parameter: Type): boolean {
  if (parameter.kind === "parameter" || parameter.kind === "dyn") return true;
  return type.kind !== "error" && type.kind !== "parameter" && !isNullable(type);
}

function compileConditional([condition, then, otherwise]: [Run, Run, Run]): Run {
  return (frame) => {
    charge(frame, 1);
    const value = condition(frame);
    if (typeof value !== "boolean") return fail("no such overload");
    return value ? then(frame) : otherwise(frame);
  };
}

function compileOptionalIndex([container, index]: [Run, Run]): Run {
  return (frame) => {
    charge(frame, 1);
    const value = opened(container(frame));
    const key = index(frame);
    if (value === undefined) return none;
    if (value instanceof MapValue) return optionalOf(value.get(key));
    if (!(value instanceof ListValue)) return fail("no such overload");
    const at = Number(typeof key === "bigint" || typeof key === "number" ? key : Number.NaN);
    return Number.isInteger(at) && 0 <= at && at < value.size ? optionalOf(value.at(at)) : none;
  };
}

function compileDirect(overload: Overload, operands: readonly Run[]): Run {
  const { evaluate, cost, price } = overload;
  const isUnit = cost === undefined && price === undefined;
  const [first, second] = operands;
  if (operands.length === 1 && first !== undefined) {
    return (frame) => {
      const x = first(frame);
      if (isUnit) charge(frame, 1);
      else pay(frame, overload, [x]);
      return evaluate(x);
    };
  }
  if (operands.length === 2 && first !== undefined && second !== undefined) {
    return (frame) => {
      const x = first(frame);
      const y = second(frame);
      if (isUnit) charge(frame, 1);
      else pay(frame, overload, [x, y]);
      return evaluate(x, y);
    };
  }
  return (frame) => {
    const values = operands.map((operand) => operand(frame));
    pay(frame, overload, values);
    return evaluate(...values);
  };
}

/** Charges a call. To weigh large operands takes turns. */
function pay(frame: Frame, { cost, price }: Overload, operands: readonly Value[]): void {
  for (;;) {
    try {
      charge(frame, price?.(...operands) ?? cost?.(sizesOf(operands), operands) ?? 1);
      return;
    } catch (error) {
      if (!(error instanceof Unweighed)) throw error;
    }
    advance(frame);
  }
}

/** The first meaning whose parameters fit the values. */
function compileDispatch(overloads: readonly Overload[], operands: readonly Run[], name: string): Run {
  return (frame) => {
    const values = operands.map((operand) => operand(frame));
    for (const overload of overloads) {
      if (!overload.parameters.every((parameter, i) => isOfType(values[i]!, parameter))) continue;
      pay(frame, overload, values);
      return overload.evaluate(...values);
    }
    const found = values.map(typeNameOf).join(", ");
    return fail(`no such overload: ${name}(${found})`);
  };
}

const listCost = 10;
const mapCost = 30;
const objectCost = 40;

function compileList(node: ListNode): Run {
  const elements = node.elements.map(compile);
  const { optional } = node;
  const isConstant = optional.size === 0 && node.elements.every((element) => element.node === "literal");
  if (isConstant) {
    const values = node.elements.map((element) => (element.node === "literal" ? element.value : null));
    const constant = new ArrayList(values);
    return () => constant;
  }
  return (frame) => {
    charge(frame, listCost);
    const values: Value[] = [];
    for (let i = 0; i < elements.length; i += 1) {
      const value = elements[i]!(frame);
      if (!optional.has(i)) values.push(value);
      else if (!(value instanceof Optional)) fail("no such overload");
      else if (value.value !== undefined) values.push(value.value);
    }
    return new ArrayList(values);
  };
}

function compileMap(node: MapNode): Run {
  const entries = node.entries.map(({ key, value, isOptional }) => ({
    key: compile(key),
    value: compile(value),
    isOptional,
  }));
  return (frame) => {
    charge(frame, mapCost);
    const result = new EntryMap();
    for (const { key, value, isOptional } of entries) {
      const found = value(frame);
      if (!isOptional) result.add(key(frame), found);
      else if (!(found instanceof Optional)) fail("no such overload");
      else if (found.value !== undefined) result.add(key(frame), found.value);
    }
    return result;
  };
}

/** An object made by a literal: `Object.spec{replicas: 3}`. */
class ObjectLiteral extends EntryMap {
  readonly #typeName: string;

  constructor(typeName: string) {
    super();
    this.#typeName = typeName;
  }

  override get typeName(): string {
    return this.#typeName;
  }
}

function compileObject(node: ObjectNode): Run {
  const typeName = node.type === undefined ? node.typeName : formatType(node.type);
  const declared = node.type?.kind === "object" ? node.type.fields : undefined;
  const fields = node.fields.map(({ name, value, isOptional }) => ({
    name: declared?.get(name)?.name ?? name,
    value: compile(value),
    isOptional,
  }));
  return (frame) => {
    charge(frame, objectCost);
    const result = new ObjectLiteral(typeName);
    for (const { name, value, isOptional } of fields) {
      const found = value(frame);
      if (!isOptional) result.add(name, found);
      else if (!(found instanceof Optional)) fail("no such overload");
      else if (found.value !== undefined) result.add(name, found.value);
    }
    return result;
  };
}
