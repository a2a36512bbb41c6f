import type { Resource } from "./resource.ts";

/** Any API object, after decoding: plain data with null-prototype records. */
export interface ApiObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMetadata;
  [field: string]: unknown;
}

export interface ObjectMetadata {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  finalizers?: string[];
  managedFields?: unknown[];
  /** Clients of old times send it; it is never stored. */
  selfLink?: string;
}

/** One thing wrong with an object, as `Status.details.causes` carries it. */
export interface FieldError {
  /** Go's path notation: `spec.containers[0].image`, `metadata.labels[key]`. */
  readonly field: string;
  readonly reason:
    | "FieldValueNotFound"
    | "FieldValueRequired"
    | "FieldValueDuplicate"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "InternalError";
  /** As Go's field.Error prints it without the path: `Invalid value: "x": must be ...`, `Required value`. */
  readonly message: string;
}

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date" | "number";
  readonly format?: string;
  readonly description: string;
  /** 0: shown always; 1: with -o wide. */
  readonly priority: number;
}

/** A cell: `undefined` becomes null. Ages are printed by the server from `now`. */
export type Cell = string | number | boolean | undefined;

/** What the rules of a kind may ask about the world. */
export interface RuleContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly subresource: string | undefined;
  /** Name of the user. */
  readonly user: string;
  /** More about the user, for the few rules that record it (certificate signing requests). */
  readonly requester?: {
    readonly uid: string;
    readonly groups: readonly string[];
    readonly extra: Readonly<Record<string, readonly string[]>>;
  };
}

/**
 * The behaviour of a kind that the published facts do not carry: everything is optional, and an absent rule means "nothing
 * special". Rules are pure and synchronous; they may change only the object that they are given as `object`.
 */
export interface KindRules<T = ApiObject> {
  /** Defaults beyond the published ones (which decoding has applied already). Must be idempotent. */
  defaults?(object: T): void;
  /** Before a create is admitted: drop what clients may not set (status), set what the server owns. */
  prepareCreate?(object: T, context: RuleContext): void;
  /** After a create was admitted, before it is validated: what follows from the object as it will be. */
  completeCreate?(object: T): void;
  /** Before an update is admitted: keep what this (sub)resource may not change, e.g. the status on the main resource. */
  prepareUpdate?(object: T, old: T, context: RuleContext): void;
  validate?(object: T, context: RuleContext): FieldError[];
  /** What holds only for new objects; runs after `validate`. */
  validateCreate?(object: T, context: RuleContext): FieldError[];
  validateUpdate?(object: T, old: T, context: RuleContext): FieldError[];
  /** Whether `metadata.generation` counts changes of the spec. Default: the kind has a status subresource. */
  readonly countsGeneration?: boolean;
  /** Columns of Tables; the first is always Name. Absent: Name and Age. */
  readonly columns?: readonly Column[];
  /** One cell for each of `columns`. */
  cells?(object: T, now: number): Cell[];
  /** Field selectors beyond metadata.name and metadata.namespace, with their value. */
  readonly fieldSelectors?: Readonly<Record<string, (object: T) => string>>;
  /** What every answer of a kind that is deprecated warns of: since when, and what to use instead. */
  readonly deprecation?: string;
  /** Warnings for the client (deprecated fields and the like), sent as Warning headers. */
  warnings?(object: T, old: T | undefined): string[];
  /** Grace period of a deletion in seconds; 0 means at once. Absent: always at once. Pods have one. */
  deletionGraceSeconds?(object: T, asked: number | undefined): number;
  /** Finalizers that a foreground or orphaning deletion does not need because the kind has dependents by default. */
  readonly defaultPropagation?: "Background" | "Orphan" | "Foreground";
  /** Names are checked as DNS-1123 subdomains unless stated. */
  readonly nameFormat?: "dns1123-subdomain" | "dns1123-label" | "dns1035-label" | "path-segment";
}

/** One kind, built-in or custom: the facts and its rules. Everything the server does is interpreted from this. */
export interface Kind<T = ApiObject> {
  /** All served versions, preferred first. */
  readonly versions: readonly Resource<T>[];
  /** The version in which objects are stored; one of `versions`. */
  readonly storage: Resource<T>;
  readonly rules: KindRules<T>;
  /**
   * An object of version `from` as `to` says it, both among `versions`. Pure: what it is given stays as it is. Absent: the
   * versions differ only in their names.
   */
  convert?(object: ApiObject, from: Resource<unknown>, to: Resource<unknown>): ApiObject;
}
