/**
 * The static types of expressions. Strings, bytes, lists and maps carry what a schema says about their size: the cost of an
 * expression is estimated from it.
 */
export type Type =
  | { readonly kind: ScalarKind }
  | { readonly kind: "string" | "bytes"; readonly max?: number | undefined }
  | ListType
  | MapType
  | ObjectType
  | { readonly kind: "optional"; readonly of: Type }
  | { readonly kind: "type"; readonly of: Type }
  | { readonly kind: "opaque"; readonly name: string }
  | { readonly kind: "parameter"; readonly name: string };

type ScalarKind = "dyn" | "null" | "bool" | "int" | "uint" | "double" | "timestamp" | "duration" | "error";

export interface ListType {
  readonly kind: "list";
  readonly element: Type;
  /** Elements at most. */
  readonly max?: number | undefined;
  /** How lists of a schema compare and add: sets and maps have no order. */
  readonly mergeBy?: "set" | readonly string[] | undefined;
}

export interface MapType {
  readonly kind: "map";
  readonly key: Type;
  readonly value: Type;
  readonly max?: number | undefined;
}

export interface ObjectType {
  readonly kind: "object";
  readonly name: string;
  /** By the name that expressions use (escaped). */
  readonly fields: ReadonlyMap<string, ObjectField>;
  /** Literals may give it any field. */
  readonly isOpen?: boolean | undefined;
}

export interface ObjectField {
  /** The name in JSON. */
  readonly name: string;
  readonly type: Type;
}

export const dyn: Type = { kind: "dyn" };
export const nullType: Type = { kind: "null" };
export const bool: Type = { kind: "bool" };
export const int: Type = { kind: "int" };
export const uint: Type = { kind: "uint" };
export const double: Type = { kind: "double" };
export const string: Type = { kind: "string" };
export const bytes: Type = { kind: "bytes" };
export const timestamp: Type = { kind: "timestamp" };
export const duration: Type = { kind: "duration" };
export const errorType: Type = { kind: "error" };
export const a: Type = { kind: "parameter", name: "A" };
export const b: Type = { kind: "parameter", name: "B" };

export function list(element: Type, max?: number): ListType {
  return { kind: "list", element, max };
}

export function map(key: Type, value: Type, max?: number): MapType {
  return { kind: "map", key, value, max };
}

export function optional(of: Type): Type {
  return { kind: "optional", of };
}

/** A string of at most so many bytes. */
export function stringOfMax(max: number): Type {
  return { kind: "string", max };
}

export function bytesOfMax(max: number): Type {
  return { kind: "bytes", max };
}

export function opaque(name: string): Type {
  return { kind: "opaque", name };
}

export function typeOf(of: Type): Type {
  return { kind: "type", of };
}

/** A type as messages name it. */
export function formatType(type: Type): string {
  switch (type.kind) {
    case "list":
      return `list(${formatType(type.element)})`;
    case "map":
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case "object":
    case "opaque":
    case "parameter":
      return type.name;
    case "optional":
      return `optional_type(${formatType(type.of)})`;
    case "type":
      return `type(${formatType(type.of)})`;
    case "timestamp":
      return "google.protobuf.Timestamp";
    case "duration":
      return "google.protobuf.Duration";
    default:
      return type.kind;
  }
}

/** What the type parameters of an overload stand for in one call. */
export type Bindings = Map<string, Type>;

/** Whether a value of type `from` may stand where `to` is wanted; binds the parameters of `to`. */
export function assign(to: Type, from: Type, bindings: Bindings): boolean {
  if (to.kind === "parameter") {
    const bound = bindings.get(to.name);
    if (bound === undefined) {
      bindings.set(to.name, from);
      return true;
    }
    if (from.kind === "null" && isNullable(bound)) return true;
    if (bound.kind === "null" && isNullable(from)) {
      bindings.set(to.name, from);
      return true;
    }
    if (!assign(bound, from, bindings) && !assign(from, bound, bindings)) return false;
    bindings.set(to.name, join(bound, from));
    return true;
  }
  if (isAny(to) || isAny(from) || from.kind === "parameter") return true;
  if (from.kind === "null") return isNullable(to);
  if (to.kind === "list") return from.kind === "list" && assign(to.element, from.element, bindings);
  if (to.kind === "map")
    return from.kind === "map" && assign(to.key, from.key, bindings) && assign(to.value, from.value, bindings);
  if (to.kind === "optional") return from.kind === "optional" && assign(to.of, from.of, bindings);
  if (to.kind === "type") return from.kind === "type";
  if (to.kind === "object") return from.kind === "object" && to.name === from.name;
  if (to.kind === "opaque") return from.kind === "opaque" && to.name === from.name;
  return to.kind === from.kind;
}

function isAny(type: Type): boolean {
  return type.kind === "dyn" || type.kind === "error";
}

/** Whether a value of this type may be null. */
export function isNullable(type: Type): boolean {
  return ["null", "object", "opaque", "timestamp", "duration", "dyn"].includes(type.kind);
}

/** `type` with its parameters replaced; those that nothing has bound may be anything. */
export function substitute(type: Type, bindings: Bindings): Type {
  switch (type.kind) {
    case "parameter": {
      const bound = bindings.get(type.name);
      return bound === undefined ? dyn : bound;
    }
    case "list":
      return list(substitute(type.element, bindings), type.max);
    case "map":
      return map(substitute(type.key, bindings), substitute(type.value, bindings), type.max);
    case "optional":
      return optional(substitute(type.of, bindings));
    case "type":
      return typeOf(substitute(type.of, bindings));
    default:
      return type;
  }
}

/** True when no value of one type is ever one of the other. */
export function isSameType(left: Type, right: Type): boolean {
  return left === right || formatType(left) === formatType(right);
}

/** The type that holds values of both: anything as soon as one side may be anything, else calls would trust what nobody looked at. */
export function join(left: Type, right: Type): Type {
  if (left === right) return left;
  if (left.kind === "dyn" || right.kind === "dyn") return dyn;
  if (left.kind === "list" && right.kind === "list") {
    if (left.max === 0) return right;
    return right.max === 0 ? left : list(join(left.element, right.element), larger(left.max, right.max));
  }
  if (left.kind === "map" && right.kind === "map") {
    if (left.max === 0) return right;
    if (right.max === 0) return left;
    return map(join(left.key, right.key), join(left.value, right.value), larger(left.max, right.max));
  }
  if (left.kind === "optional" && right.kind === "optional") return optional(join(left.of, right.of));
  if (assign(left, right, new Map())) return left;
  if (assign(right, left, new Map())) return right;
  return dyn;
}

function larger(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? undefined : Math.max(left, right);
}
