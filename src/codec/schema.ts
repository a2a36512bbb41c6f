/**
 * A type as data. Built-in types come from the published facts (`api/generated`), custom ones from a CustomResourceDefinition:
 * decoding, pruning, defaulting, canonical form, protobuf, merging and OpenAPI are all interpreted from these nodes.
 */
export type Schema = ScalarSchema | ListSchema | MapSchema | StructSchema | AnySchema;

export type ScalarType =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "float64"
  | "bytes"
  | "quantity"
  | "int-or-string"
  | "time"
  | "micro-time"
  | "duration";

export interface ScalarSchema {
  readonly node: "scalar";
  readonly type: ScalarType;
  /** The named Go type (`core/v1.Protocol`), where the facts have one. */
  readonly name?: string;
}

export interface ListSchema {
  readonly node: "list";
  readonly element: Schema;
  /** How server-side apply merges: absent means atomic. */
  readonly listType?: "atomic" | "set" | "map";
  readonly listMapKeys?: readonly string[];
  /** How strategic merge patches merge; absent means replace. */
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[];
  readonly patchMergeKey?: string;
}

export interface MapSchema {
  readonly node: "map";
  readonly value: Schema;
  readonly mapType?: "atomic" | "granular";
}

export interface StructSchema {
  readonly node: "struct";
  /** `core/v1.PodSpec`; empty for a custom resource's inner objects. */
  readonly name: string;
  /** In Go's order; inlined fields stand in place. */
  readonly fields: readonly FieldSchema[];
  readonly byName: ReadonlyMap<string, FieldSchema>;
  /** Keep fields that no schema names (custom resources with x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  readonly structType?: "atomic" | "granular";
}

/** Kept as given: RawExtension, FieldsV1, JSON, and untyped parts of custom resources. */
export interface AnySchema {
  readonly node: "any";
  readonly type: "raw" | "fields-v1" | "json";
}

export interface FieldSchema {
  readonly name: string;
  readonly schema: Schema;
  /** Absent and zero differ. Value fields are written also when zero, unless `omitEmpty` or `omitZero`. */
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  readonly required: boolean;
  /** JSON value to use when the field is absent. */
  readonly default?: unknown;
  /** Protobuf field number; 0 when the field has none. */
  readonly number: number;
  /** Custom resources: an explicit null is kept. */
  readonly nullable?: boolean;
}
