import type { CallNode, ComprehensionNode, Node } from "./ast.ts";
import type { Environment } from "./environment.ts";
import type { Type } from "./types.ts";
import { lengthOf, type Value } from "./value.ts";

/** Characters or elements where no schema says how many: what a request can carry. */
const unknownSizeMax = 3 * 1024 * 1024;

interface Estimate {
  /** Units at most. */
  readonly cost: number;
  /** Characters, bytes, elements or entries at most. */
  readonly size: number;
  /** What elements of it may be, where that is more than their type says. */
  readonly element?: Estimate | undefined;
}

/** What evaluating a checked expression costs at most. */
export function estimateCost(node: Node, environment: Environment): number {
  const estimator = new Estimator(environment.variables.map(({ type }) => declared(type)));
  return estimator.of(node).cost;
}

/** Size of a value of this type, as its schema says; numbers and the like count as one. */
function sizeOfType(type: Type | undefined): number {
  switch (type?.kind) {
    case "string":
    case "bytes":
    case "list":
    case "map":
      return type.max ?? unknownSizeMax;
    case undefined:
    case "dyn":
    case "parameter":
      return unknownSizeMax;
    default:
      return 1;
  }
}

function declared(type: Type | undefined): Estimate {
  return { cost: 0, size: sizeOfType(type) };
}

class Estimator {
  readonly #slots: Estimate[];

  constructor(variables: Estimate[]) {
    this.#slots = variables;
  }

  of(node: Node): Estimate {
    switch (node.node) {
      case "literal":
        return { cost: 0, size: sizeOfValue(node.value) };
      case "identifier":
        if (node.slot === undefined) return { cost: 0, size: 1 };
        return { ...(this.#slots[node.slot] ?? declared(node.type)), cost: 1 };
      case "select": {
        if (node.qualified !== undefined) return { cost: 1, size: sizeOfType(node.qualified.type) };
        const operand = this.of(node.operand);
        return { cost: operand.cost + (node.isTest ? 0 : 1), size: sizeOfType(node.type) };
      }
      case "call":
        return this.#call(node);
      case "logical":
        return { cost: sum(node.operands.map((operand) => this.of(operand).cost)), size: 1 };
      case "list":
        return this.#list(node.elements);
      case "map": {
        const parts = node.entries.flatMap(({ key, value }) => [this.of(key).cost, this.of(value).cost]);
        return { cost: sum(parts) + 30, size: node.entries.length };
      }
      case "object":
        return { cost: sum(node.fields.map(({ value }) => this.of(value).cost)) + 40, size: 1 };
      case "comprehension":
        return this.#comprehension(node);
      case "bind": {
        const value = this.of(node.value);
        this.#slots[node.slot ?? 0] = { ...value, cost: 1 };
        const body = this.of(node.body);
        return { ...body, cost: body.cost + value.cost };
      }
    }
  }

  #list(nodes: readonly Node[]): Estimate {
    const elements = nodes.map((element) => this.of(element));
    const size = Math.max(0, ...elements.map((element) => element.size));
    return { cost: sum(elements.map(({ cost }) => cost)) + 10, size: nodes.length, element: { cost: 0, size } };
  }

  #call(node: CallNode): Estimate {
    const operands = (node.operands ?? []).map((operand) => this.of(operand));
    const cost = sum(operands.map((operand) => operand.cost));
    if (node.name === "_?_:_") {
      const [condition, then, otherwise] = operands as [Estimate, Estimate, Estimate];
      return {
        cost: condition.cost + Math.max(then.cost, otherwise.cost),
        size: Math.max(then.size, otherwise.size),
        element: (then.size < otherwise.size ? otherwise : then).element,
      };
    }
    if (node.name === "_[_]" || node.name === "_[?_]") {
      return { cost: cost + 1, size: operands[0]?.element?.size ?? sizeOfType(node.type) };
    }
    const sizes = operands.map((operand, i) => this.#effectiveSize(operand, node.operands?.[i]));
    let own = 1;
    let size: number | undefined;
    for (const overload of node.overloads ?? []) {
      own = Math.max(own, overload.cost?.(sizes) ?? 1);
      const made = overload.resultSize?.(sizes);
      if (made !== undefined) size = Math.max(size ?? 0, made);
    }
    return { cost: cost + own, size: size ?? sizeOfType(node.type) };
  }

  /** `join` and the like read the characters of the elements, not their number. */
  #effectiveSize(operand: Estimate, node: Node | undefined): number {
    const type = node?.type;
    if (type?.kind !== "list" || (type.element.kind !== "string" && type.element.kind !== "bytes")) return operand.size;
    return operand.size * (1 + (operand.element?.size ?? sizeOfType(type.element)) * 0.1);
  }

  #comprehension(node: ComprehensionNode): Estimate {
    const range = this.of(node.range);
    const type = node.range.type;
    const [first, second] = node.slots ?? [];
    if (node.kind === "optMap" || node.kind === "optFlatMap") {
      if (first !== undefined)
        this.#slots[first] = { cost: 1, size: sizeOfType(type?.kind === "optional" ? type.of : undefined) };
      const body = this.of(node.body);
      return { ...body, cost: range.cost + body.cost + 1 };
    }
    const element = range.element?.size;
    const keySize =
      type?.kind === "list"
        ? (element ?? sizeOfType(type.element))
        : sizeOfType(type?.kind === "map" ? type.key : undefined);
    const valueSize = type?.kind === "map" ? sizeOfType(type.value) : keySize;
    if (first !== undefined)
      this.#slots[first] = { cost: 1, size: second !== undefined && type?.kind === "list" ? 1 : keySize };
    if (second !== undefined) this.#slots[second] = { cost: 1, size: valueSize };
    const condition = node.condition === undefined ? 0 : this.of(node.condition).cost;
    const body = this.of(node.body);
    const cost = range.cost + 1 + range.size * (2 + condition + body.cost);
    const size = isQuantifier(node) ? 1 : range.size;
    return { cost, size, element: node.kind === "filter" ? range.element : { cost: 0, size: body.size } };
  }
}

function isQuantifier(node: ComprehensionNode): boolean {
  return node.kind === "all" || node.kind === "exists" || node.kind === "existsOne";
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function sizeOfValue(value: Value): number {
  if (typeof value === "string") return lengthOf(value);
  return value instanceof Uint8Array ? value.length : 1;
}
