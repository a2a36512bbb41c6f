/**
 * A type as data. Built-in types come from the published facts (`api/generated`), custom ones from a CustomResourceDefinition:
 * decoding, pruning, defaulting, canonical form, protobuf, merging and OpenAPI are all interpreted from these nodes.
 */
export type Schema = ScalarSchema | ListSchema | MapSchema | StructSchema | AnySchema | UnionSchema;

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
  /** Bytes are a list in Go, and one of them says so in the published OpenAPI. */
  readonly listType?: "atomic";
}

export interface ListSchema {
  readonly node: "list";
  /** The named Go type (`meta/v1.Verbs`); in protobuf such a list is a message of its own with `items = 1`. */
  readonly name?: string;
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
  /** The named Go type (`core/v1.ResourceList`), where the facts have one. */
  readonly name?: string;
  /** The named Go type of the keys; absent: string. */
  readonly keyName?: string;
  readonly mapType?: "atomic" | "granular";
}

export interface StructSchema {
  readonly node: "struct";
  /** `core/v1.PodSpec`; empty for a custom resource's inner objects. */
  readonly name: string;
  /** In Go's order; inlined fields stand in place. */
  readonly fields: readonly FieldSchema[];
  readonly byName: ReadonlyMap<string, FieldSchema>;
  /** Inlined structs that are messages of their own in protobuf; their fields stand in `fields` as well. */
  readonly inlined?: readonly { readonly number: number; readonly struct: StructSchema }[];
  /** Keep fields that no schema names (custom resources with x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  readonly structType?: "atomic" | "granular";
}

/** Kept as given: RawExtension, FieldsV1, JSON, and untyped parts of custom resources. */
export interface AnySchema {
  readonly node: "any";
  readonly type: "raw" | "fields-v1" | "json";
}

/** JSON that is one of several forms, chosen by what stands there (JSONSchemaPropsOrArray, -OrBool, -OrStringArray). */
export interface UnionSchema {
  readonly node: "union";
  readonly name: string;
  readonly options: readonly UnionOption[];
}

export interface UnionOption {
  readonly on: "object" | "array" | "boolean";
  readonly schema: Schema;
  /** Protobuf field number in the union's message. */
  readonly number: number;
}

export interface FieldSchema {
  readonly name: string;
  readonly schema: Schema;
  /** Absent and zero differ. Value fields are written also when zero, unless `omitEmpty` or `omitZero`. */
  readonly pointer: boolean;
  readonly omitEmpty: boolean;
  readonly omitZero: boolean;
  /** Given as empty it differs from absent until it was defaulted and validated, although it is written like absent. */
  readonly keepsEmpty?: boolean;
  readonly required: boolean;
  /** JSON value to use when the field is absent. */
  readonly default?: unknown;
  /** Protobuf field number; 0 when the field has none (TypeMeta), or when it belongs to an inlined message (`inlined`). */
  readonly number: number;
  /** The Go struct that declares the field (`core/v1.VolumeSource`), when it was inlined from another. */
  readonly from?: string;
  /** Strategic merge of struct fields: `retainKeys`, `replace`. Lists carry theirs in ListSchema. */
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[];
  /** Custom resources: an explicit null is kept. */
  readonly nullable?: boolean;
}
