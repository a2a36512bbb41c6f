import type { Resource } from "#api/resource.ts";
import type { StructSchema } from "#codec/schema.ts";

/** One served version of a kind, as the documents need it; the registry's entries fit. */
export interface Documented {
  readonly resource: Resource<unknown>;
  readonly schema: StructSchema;
  /** For custom resources: the `openAPIV3Schema` of the definition. */
  readonly custom?: { readonly openApi: Record<string, unknown> | undefined } | undefined;
}

/**
 * The published description of a type (`core/v1.PodSpec`) or of one of its fields by JSON name; undefined when there is none.
 * Read lazily: documents are made on demand.
 */
export type Describe = (typeName: string, field?: string) => string | undefined;

/** The two languages of documents: OpenAPI 2 keeps types in `definitions`, OpenAPI 3 in `components`. */
export type Dialect = "v2" | "v3";

export type Json = Record<string, unknown>;
