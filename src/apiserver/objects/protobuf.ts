import type { ApiObject } from "#api/kind.ts";
import { hasSchema, schemaOf } from "#api/schemas.ts";
import { decodeProtobuf, encodeMessage, encodeProtobuf, type ResolveSchema } from "#codec/protobuf.ts";
import { badRequest, Failure } from "../failure.ts";
import type { Registry, Served } from "../registry.ts";
import type { RawBody } from "./read-body.ts";

/** Options and other types that come as bodies in any group version but belong to `meta/v1`. */
const sharedKinds: ReadonlySet<string> = new Set([
  "DeleteOptions",
  "CreateOptions",
  "UpdateOptions",
  "PatchOptions",
  "Status",
  "ListOptions",
]);

/** Which schema an envelope's type has; subresource kinds (Binding, Eviction, Scale, TokenRequest) included. */
function schemaResolver(registry: Registry): ResolveSchema {
  return (apiVersion, kind) => {
    if (sharedKinds.has(kind)) return schemaOf(`meta/v1.${kind}`);
    const served = registry.findKind(apiVersion, kind);
    if (served !== undefined) return served.custom === undefined ? served.schema : undefined;
    const type = `${apiVersion === "v1" ? "core" : apiVersion.split(/[./]/, 1)[0]!}/${apiVersion.split("/").at(-1)!}.${kind}`;
    return hasSchema(type) ? schemaOf(type) : undefined;
  };
}

/** Reads a protobuf body into plain data. */
export function readProtobufBody(body: Uint8Array, registry: Registry): RawBody | Failure {
  const result = decodeProtobuf(body, schemaResolver(registry));
  if (!result.ok) return badRequest(`the object provided is unrecognized: ${result.message}`);
  result.object.kind ??= result.kind;
  result.object.apiVersion ??= result.apiVersion;
  return { value: result.object, duplicates: [] };
}

export function encodeProtobufObject(served: Served, object: ApiObject): Uint8Array {
  return encodeProtobuf(object, served.schema);
}

/** An object's message without envelope, for lists. */
export function protobufMessage(served: Served, object: ApiObject): Uint8Array {
  return encodeMessage(object, served.schema);
}

const metadataOnly = schemaOf("meta/v1.PartialObjectMetadata");

/** What all kinds have in common, of `version` of meta.k8s.io: custom kinds too can be read so. */
export function encodeProtobufMetadata({ metadata }: { readonly metadata: object }, version: string): Uint8Array {
  return encodeProtobuf(
    { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}`, metadata },
    metadataOnly,
  );
}

/** The same without envelope, for lists. */
export function protobufMetadataMessage({ metadata }: ApiObject): Uint8Array {
  return encodeMessage({ metadata }, metadataOnly);
}
