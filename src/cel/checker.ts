import type {
  BindNode,
  CallNode,
  ComprehensionNode,
  IdentifierNode,
  ListNode,
  MapNode,
  Node,
  ObjectNode,
  SelectNode,
} from "./ast.ts";
import type { Environment } from "./environment.ts";
import type { Issue } from "./failure.ts";
import type { Overload } from "./library.ts";
import { issuesMax } from "./limits.ts";
import { patternError } from "./pattern.ts";
import { parseDuration, parseTimestamp } from "./scalar-text.ts";
import * as types from "./types.ts";
import {
  assign,
  bool,
  dyn,
  errorType,
  formatType,
  int,
  join,
  list,
  map,
  optional,
  substitute,
  type Bindings,
  type Type,
} from "./types.ts";

export interface Checked {
  readonly issues: readonly Issue[];
  readonly type: Type;
  /** Slots that an evaluation's frame needs: variables first, then those that comprehensions declare. */
  readonly slots: number;
}

/** Gives every node its type and every name its meaning; tells all that is wrong. */
export function check(node: Node, environment: Environment): Checked {
  const checker = new Checker(environment);
  const type = checker.check(node);
  return { issues: checker.issues.slice(0, issuesMax), type, slots: checker.slots };
}

class Checker {
  readonly issues: Issue[] = [];
  slots: number;
  readonly #environment: Environment;
  readonly #mixed = new Set<Node>();
  readonly #locals = new Map<string, { slot: number; type: Type }[]>();

  constructor(environment: Environment) {
    this.#environment = environment;
    this.slots = environment.variables.length;
  }

  check(node: Node): Type {
    const type = this.#typeOf(node);
    node.type = type;
    return type;
  }

  #error(at: number, message: string): Type {
    this.issues.push({ at, message });
    return errorType;
  }

  #typeOf(node: Node): Type {
    switch (node.node) {
      case "literal":
        return node.literalType;
      case "identifier":
        return (
          this.#identifier(node) ?? this.#error(node.at, `undeclared reference to '${node.name}' (in container '')`)
        );
      case "select":
        return this.#select(node);
      case "call":
        return this.#call(node);
      case "logical": {
        for (const operand of node.operands) {
          const type = this.check(operand);
          if (!assign(bool, type, new Map()))
            this.#error(operand.at, `expected type 'bool' but found '${formatType(type)}'`);
        }
        return bool;
      }
      case "list":
        return this.#list(node);
      case "map":
        return this.#map(node);
      case "object":
        return this.#object(node);
      case "comprehension":
        return this.#comprehension(node);
      case "bind":
        return this.#bind(node);
    }
  }

  #identifier(node: IdentifierNode): Type | undefined {
    const local = this.#locals.get(node.name)?.at(-1);
    if (local !== undefined) {
      node.slot = local.slot;
      return local.type;
    }
    const slot = this.#environment.slotOf(node.name);
    if (slot !== undefined) {
      node.slot = slot;
      return this.#environment.variables[slot]!.type;
    }
    const named = this.#environment.typeNamed(node.name);
    if (named === undefined) return undefined;
    node.constant = named.value;
    return named.type;
  }

  /** `a.b.c` as one name, where its first part is no variable. */
  #qualifiedName(node: Node): string | undefined {
    if (node.node === "identifier") {
      const isVariable = this.#locals.get(node.name)?.length || this.#environment.slotOf(node.name) !== undefined;
      return isVariable ? undefined : node.name;
    }
    if (node.node !== "select" || node.isOptional || node.isTest) return undefined;
    const operand = this.#qualifiedName(node.operand);
    return operand === undefined ? undefined : `${operand}.${node.field}`;
  }

  #select(node: SelectNode): Type {
    const name = this.#qualifiedName(node);
    const named = name === undefined ? undefined : this.#environment.typeNamed(name);
    if (named !== undefined && name !== undefined) {
      node.qualified = { node: "identifier", name, at: node.at, depth: 1, constant: named.value, type: named.type };
      return named.type;
    }
    const dotted = this.#dottedVariable(node);
    if (dotted !== undefined) return dotted;
    const operand = this.check(node.operand);
    const isInOptional = operand.kind === "optional";
    const field = this.#field(node, isInOptional ? operand.of : operand);
    if (node.isTest) return bool;
    if (field.kind === "error") return field;
    return node.isOptional || isInOptional ? (field.kind === "optional" ? field : optional(field)) : field;
  }

  /** A variable with a dot in its name: `authorizer.requestResource`. */
  #dottedVariable(node: SelectNode): Type | undefined {
    if (node.operand.node !== "identifier" || node.isTest || node.isOptional) return undefined;
    if (this.#locals.get(node.operand.name)?.length) return undefined;
    const name = `${node.operand.name}.${node.field}`;
    const slot = this.#environment.slotOf(name);
    if (slot === undefined) return undefined;
    const { type } = this.#environment.variables[slot]!;
    node.qualified = { node: "identifier", name, at: node.at, depth: 1, slot, type };
    return type;
  }

  #field(node: SelectNode, operand: Type): Type {
    switch (operand.kind) {
      case "dyn":
      case "error":
        return dyn;
      case "map":
        if (assign(operand.key, types.string, new Map())) return operand.value;
        break;
      case "object": {
        const field = operand.fields.get(node.field);
        return field === undefined ? this.#error(node.at, `undefined field '${node.field}'`) : field.type;
      }
      default:
    }
    return this.#error(node.at, `type '${formatType(operand)}' does not support field selection`);
  }

  #call(node: CallNode): Type {
    const { target, args } = node;
    if (target !== undefined) {
      const prefix = this.#qualifiedName(target);
      const name = prefix === undefined ? undefined : `${prefix}.${node.name}`;
      if (name !== undefined && 0 < this.#environment.overloadsOf(name).length) {
        return this.#resolve(node, name, args, false);
      }
    }
    const operands = target === undefined ? args : [target, ...args];
    return this.#resolve(node, node.name, operands, target !== undefined);
  }

  #resolve(node: CallNode, name: string, operands: readonly Node[], isMember: boolean): Type {
    // What is formatted may be of different types.
    if (name === "format" && operands[1]?.node === "list") this.#mixed.add(operands[1]);
    const found = operands.map((operand) => this.check(operand));
    this.#checkLiterals(name, operands);
    if (name === "_?_:_") return this.#conditional(node, operands, found);
    if (name === "_[?_]" || (name === "_[_]" && found[0]?.kind === "optional")) {
      return this.#optionalIndex(node, operands, found, name === "_[?_]");
    }
    const all = this.#environment.overloadsOf(name);
    if (all.length === 0) return this.#error(node.at, `undeclared reference to '${name}' (in container '')`);
    if (found.some(({ kind }) => kind === "error")) return dyn;
    const fitting: Overload[] = [];
    let result: Type | undefined;
    for (const overload of all) {
      if (overload.isMember !== isMember || overload.parameters.length !== operands.length) continue;
      const bindings: Bindings = new Map();
      const fits = overload.parameters.every((parameter, i) => assign(parameter, found[i]!, bindings));
      if (!fits && !isNullComparison(name, found)) continue;
      fitting.push(overload);
      const own = substitute(overload.result, bindings);
      result = result === undefined || types.isSameType(result, own) ? own : dyn;
    }
    if (result === undefined) return this.#noOverload(node, name, found, isMember);
    node.overloads = fitting;
    node.operands = operands;
    return result;
  }

  /** Patterns, times and durations that are written out are told wrong here, not when they are used. */
  #checkLiterals(name: string, operands: readonly Node[]): void {
    const literal = operands.at(name === "matches" ? 1 : 0);
    if (literal?.node !== "literal" || typeof literal.value !== "string") return;
    if (literalErrors[name]?.(literal.value) === true) this.#error(literal.at, `invalid ${name} argument`);
  }

  #noOverload(node: CallNode, name: string, found: readonly Type[], isMember: boolean): Type {
    const [receiver, ...rest] = found.map(formatType);
    const applied = isMember ? `${receiver}.(${rest.join(", ")})` : `(${[receiver, ...rest].join(", ")})`;
    return this.#error(node.at, `found no matching overload for '${name}' applied to '${applied}'`);
  }

  #conditional(node: CallNode, operands: readonly Node[], found: readonly Type[]): Type {
    const [condition, then, otherwise] = found as [Type, Type, Type];
    node.operands = operands;
    node.overloads = [];
    const bindings: Bindings = new Map();
    const fits = assign(types.a, then, bindings) && assign(types.a, otherwise, bindings);
    if (!assign(bool, condition, new Map()) || !fits) return this.#noOverload(node, "_?_:_", found, false);
    return join(then, otherwise);
  }

  #optionalIndex(node: CallNode, operands: readonly Node[], found: readonly Type[], isOptional: boolean): Type {
    const [first, index] = found as [Type, Type];
    const container = first.kind === "optional" ? first.of : first;
    node.operands = operands;
    node.overloads = [];
    const element = (): Type | undefined => {
      if (container.kind === "dyn" || container.kind === "error") return dyn;
      if (container.kind === "list") return assign(int, index, new Map()) ? container.element : undefined;
      if (container.kind === "map") return assign(container.key, index, new Map()) ? container.value : undefined;
      return undefined;
    };
    const type = element();
    if (type === undefined) return this.#noOverload(node, isOptional ? "_[?_]" : "_[_]", found, false);
    return optional(type);
  }

  #list(node: ListNode): Type {
    let element: Type | undefined;
    for (const [index, each] of node.elements.entries()) {
      let type = this.check(each);
      if (node.optional.has(index)) {
        if (type.kind === "optional") type = type.of;
        else if (type.kind !== "dyn" && type.kind !== "error")
          type = this.#error(
            each.at,
            `expected type 'optional_type(${formatType(type)})' but found '${formatType(type)}'`,
          );
      }
      element = this.#mixed.has(node) ? dyn : this.#same(element, type, each.at);
    }
    return list(element ?? dyn, node.elements.length);
  }

  /** Lists and maps hold values of one type. */
  #same(known: Type | undefined, type: Type, at: number): Type {
    if (known === undefined) return type;
    if (!assign(known, type, new Map()) && !assign(type, known, new Map())) {
      this.#error(at, `expected type '${formatType(known)}' but found '${formatType(type)}'`);
      return known;
    }
    return join(known, type);
  }

  #map(node: MapNode): Type {
    let keyType: Type | undefined;
    let valueType: Type | undefined;
    for (const { key, value, isOptional } of node.entries) {
      const ofKey = this.check(key);
      if (!["string", "int", "uint", "bool", "dyn", "error"].includes(ofKey.kind))
        this.#error(key.at, `unsupported map key type: ${formatType(ofKey)}`);
      keyType = this.#same(keyType, ofKey, key.at);
      let ofValue = this.check(value);
      if (isOptional && ofValue.kind === "optional") ofValue = ofValue.of;
      valueType = this.#same(valueType, ofValue, value.at);
    }
    return map(keyType ?? dyn, valueType ?? dyn, node.entries.length);
  }

  #object(node: ObjectNode): Type {
    const type = this.#environment.objectType(node.typeName);
    for (const field of node.fields) {
      let found = this.check(field.value);
      if (field.isOptional && found.kind === "optional") found = found.of;
      if (type === undefined) continue;
      const declared = type.fields.get(field.name);
      if (declared === undefined) {
        if (type.isOpen !== true) this.#error(field.at, `undefined field '${field.name}'`);
      } else if (!assign(declared.type, found, new Map())) {
        const message =
          `expected type of field '${field.name}' is '${formatType(declared.type)}' but provided type is ` +
          `'${formatType(found)}'`;
        this.#error(field.at, message);
      }
    }
    return type ?? this.#error(node.at, `undeclared reference to '${node.typeName}' (in container '')`);
  }

  #declare(name: string, type: Type): number {
    const slot = this.slots;
    this.slots += 1;
    const known = this.#locals.get(name);
    if (known === undefined) this.#locals.set(name, [{ slot, type }]);
    else known.push({ slot, type });
    return slot;
  }

  #comprehension(node: ComprehensionNode): Type {
    const range = this.check(node.range);
    const variableTypes = this.#variableTypes(node, range);
    node.slots = node.variables.map((name, i) => this.#declare(name, variableTypes[i]!));
    if (node.condition !== undefined) this.#mustBeBool(node.condition);
    const body = this.check(node.body);
    for (const name of node.variables) this.#locals.get(name)?.pop();
    switch (node.kind) {
      case "all":
      case "exists":
      case "existsOne":
        this.#checkBool(body, node.body.at);
        return bool;
      case "filter":
        this.#checkBool(body, node.body.at);
        return list(variableTypes[0]!, sizeOf(range));
      case "map":
      case "transformList":
        return list(body, sizeOf(range));
      case "transformMap":
        return map(range.kind === "map" ? range.key : range.kind === "list" ? int : dyn, body, sizeOf(range));
      case "transformMapEntry":
        if (body.kind === "map") return map(body.key, body.value, sizeOf(range));
        if (body.kind === "dyn" || body.kind === "error") return map(dyn, dyn, sizeOf(range));
        return this.#error(node.body.at, `expected type 'map' but found '${formatType(body)}'`);
      case "optMap":
        return optional(body);
      case "optFlatMap":
        if (body.kind === "optional" || body.kind === "dyn" || body.kind === "error") return body;
        return this.#error(node.body.at, `expected type 'optional_type' but found '${formatType(body)}'`);
    }
  }

  #variableTypes(node: ComprehensionNode, range: Type): readonly Type[] {
    if (range.kind === "dyn" || range.kind === "error") return [dyn, dyn];
    if (node.kind === "optMap" || node.kind === "optFlatMap") {
      if (range.kind === "optional") return [range.of];
      this.#error(node.range.at, `expected type 'optional_type' but found '${formatType(range)}'`);
      return [dyn];
    }
    const isPair = node.variables.length === 2;
    if (range.kind === "list") return isPair ? [int, range.element] : [range.element];
    if (range.kind === "map") return isPair ? [range.key, range.value] : [range.key];
    const message = `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`;
    this.#error(node.range.at, message);
    return [dyn, dyn];
  }

  #mustBeBool(node: Node): void {
    this.#checkBool(this.check(node), node.at);
  }

  #checkBool(type: Type, at: number): void {
    if (!assign(bool, type, new Map())) this.#error(at, `expected type 'bool' but found '${formatType(type)}'`);
  }

  #bind(node: BindNode): Type {
    const value = this.check(node.value);
    node.slot = this.#declare(node.name, value);
    const body = this.check(node.body);
    this.#locals.get(node.name)?.pop();
    return body;
  }
}

const literalErrors: Readonly<Record<string, ((text: string) => boolean) | undefined>> = {
  matches: (text) => patternError(text) !== undefined,
  duration: (text) => parseDuration(text) === undefined,
  timestamp: (text) => parseTimestamp(text) === undefined,
};

function sizeOf(type: Type): number | undefined {
  return type.kind === "list" || type.kind === "map" ? type.max : undefined;
}

/** Anything may be compared with null. */
function isNullComparison(name: string, found: readonly Type[]): boolean {
  return (name === "_==_" || name === "_!=_") && found.some(({ kind }) => kind === "null");
}
