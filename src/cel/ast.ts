import type { Overload } from "./library.ts";
import type { Type } from "./types.ts";
import type { Value } from "./value.ts";

/** An expression as parsed. The checker writes types and what names mean into it. */
export type Node =
  | LiteralNode
  | IdentifierNode
  | SelectNode
  | CallNode
  | LogicalNode
  | ListNode
  | MapNode
  | ObjectNode
  | ComprehensionNode
  | BindNode;

interface Positioned {
  /** Character of the expression, from 0. */
  readonly at: number;
  /** Nodes below one another. */
  readonly depth: number;
  /** Set by the checker. */
  type?: Type;
}

export interface LiteralNode extends Positioned {
  readonly node: "literal";
  readonly value: Value;
  readonly literalType: Type;
}

export interface IdentifierNode extends Positioned {
  readonly node: "identifier";
  readonly name: string;
  /** Where its value lies in the frame; undefined for names of types. */
  slot?: number;
  /** Names of types are values. */
  constant?: Value;
}

export interface SelectNode extends Positioned {
  readonly node: "select";
  readonly operand: Node;
  readonly field: string;
  /** `operand.?field`. */
  readonly isOptional: boolean;
  /** `has(operand.field)`. */
  readonly isTest: boolean;
  /** A variable or type with dots in its name. */
  qualified?: IdentifierNode;
}

export interface CallNode extends Positioned {
  readonly node: "call";
  readonly name: string;
  readonly target: Node | undefined;
  readonly args: readonly Node[];
  /** Set by the checker: what may be meant, and its operands with the receiver first. */
  overloads?: readonly Overload[];
  operands?: readonly Node[];
}

/** `a && b && c`, `a || b || c`, flat. */
export interface LogicalNode extends Positioned {
  readonly node: "logical";
  readonly operator: "&&" | "||";
  readonly operands: readonly Node[];
}

export interface ListNode extends Positioned {
  readonly node: "list";
  readonly elements: readonly Node[];
  /** Indexes of elements written `?element`. */
  readonly optional: ReadonlySet<number>;
}

export interface MapNode extends Positioned {
  readonly node: "map";
  readonly entries: readonly { readonly key: Node; readonly value: Node; readonly isOptional: boolean }[];
}

export interface ObjectNode extends Positioned {
  readonly node: "object";
  readonly typeName: string;
  readonly fields: readonly {
    readonly name: string;
    readonly at: number;
    readonly value: Node;
    readonly isOptional: boolean;
  }[];
}

export type ComprehensionKind =
  | "all"
  | "exists"
  | "existsOne"
  | "map"
  | "filter"
  | "transformList"
  | "transformMap"
  | "transformMapEntry"
  | "optMap"
  | "optFlatMap";

export interface ComprehensionNode extends Positioned {
  readonly node: "comprehension";
  readonly kind: ComprehensionKind;
  readonly range: Node;
  readonly variables: readonly string[];
  /** Elements for which this is false are left out. */
  readonly condition: Node | undefined;
  readonly body: Node;
  /** Set by the checker: slots of the variables. */
  slots?: readonly number[];
}

/** `cel.bind(name, value, body)`. */
export interface BindNode extends Positioned {
  readonly node: "bind";
  readonly name: string;
  readonly value: Node;
  readonly body: Node;
  slot?: number;
}
