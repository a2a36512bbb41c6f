import { concatBytes } from "#base/bytes.ts";
import type { ApiObject } from "#api/kind.ts";
import { encodeJson } from "#codec/json.ts";
import type { Entry } from "#store/store.ts";
import type { Call } from "../call.ts";
import type { Representation } from "../negotiate.ts";
import type { Served } from "../registry.ts";
import { bytesOf } from "./bytes.ts";
import { hasDefaults, inVersion, toStorage } from "./convert.ts";
import { encodeProtobufMetadata, encodeProtobufObject } from "./protobuf.ts";
import { fromMetadata, jsonOf, metadataOf } from "./stored.ts";
import { columnDefinitions, rowHead } from "./table.ts";
import { encodeYaml } from "./yaml.ts";

const open = bytesOf("{");
const close = bytesOf("}");
const rowObject = bytesOf(',"object":');
const rowEnd = bytesOf("}");

/** JSON of a stored object in the served version, with its kind. The stored bytes themselves where that is the stored version. */
export function jsonInVersion(call: Pick<Call, "parts">, served: Served, entry: Entry): Uint8Array {
  if (served.custom !== undefined && hasDefaults(served)) return defaultedJson(call, served, entry);
  if (served.isStorage && (served.custom === undefined || hasTypeMeta(served, entry.value))) return jsonOf(entry.value);
  return call.parts.objects.encoding(entry, `json:${served.apiVersion}`, () => {
    if (served.custom !== undefined && served.custom.conversion === undefined) {
      return concatBytes([typeMeta(served.resource.kind, served.apiVersion), fromMetadata(entry.value)]);
    }
    return encodeJson(inVersion(served, call.parts.objects.decoded(entry)));
  });
}

const defaulted = new WeakMap<Entry, { readonly served: Served; readonly json: Uint8Array }>();

/** Made once per entry and schema: a definition that changes makes other `Served`s. */
function defaultedJson(call: Pick<Call, "parts">, served: Served, entry: Entry): Uint8Array {
  const known = defaulted.get(entry);
  if (known?.served === served) return known.json;
  const json = encodeJson(inVersion(served, call.parts.objects.decoded(entry)));
  defaulted.set(entry, { served, json });
  return json;
}

/** JSON of an item of a list: built-in kinds leave kind and apiVersion to the list, as Go does. */
export function jsonItem(call: Pick<Call, "parts">, served: Served, entry: Entry): Uint8Array {
  if (served.custom !== undefined || !served.isStorage) return jsonInVersion(call, served, entry);
  return fromMetadata(entry.value);
}

/** Whether `jsonItem` left out the opening brace. */
export function itemsLackBrace(served: Served): boolean {
  return served.custom === undefined && served.isStorage;
}

const typeMetas = new WeakMap<Served, Uint8Array>();

/** Whether the stored bytes name the served version: a definition may have moved its storage version since. */
function hasTypeMeta(served: Served, value: Uint8Array): boolean {
  let head = typeMetas.get(served);
  if (head === undefined) typeMetas.set(served, (head = typeMeta(served.resource.kind, served.apiVersion)));
  const json = jsonOf(value);
  for (let i = 0; i < head.length; i++) if (json[i] !== head[i]) return false;
  return true;
}

function typeMeta(kind: string, apiVersion: string): Uint8Array {
  return bytesOf(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`);
}

/** `{"kind":"PartialObjectMetadata",...}` of a stored object, cut out of its bytes. */
export function partialMetadata(entry: Entry, version: string): Uint8Array {
  return concatBytes([typeMeta("PartialObjectMetadata", `meta.k8s.io/${version}`), metadataOf(entry.value), close]);
}

/** The same in JSON or protobuf. */
export function metadataBytes(
  { parts }: { readonly parts: Pick<Call["parts"], "objects"> },
  entry: Entry,
  { media, version }: Representation,
): Uint8Array {
  return media === "protobuf"
    ? encodeProtobufMetadata(parts.objects.decoded(entry), version)
    : partialMetadata(entry, version);
}

/** One stored object in any representation. */
export function representEntry(call: Call, served: Served, entry: Entry, representation: Representation): Uint8Array {
  switch (representation.as) {
    case "object": {
      if (representation.media === "json") return jsonInVersion(call, served, entry);
      const object = inVersion(served, call.parts.objects.decoded(entry));
      return representation.media === "yaml" ? encodeYaml(object) : encodeProtobufObject(served, object);
    }
    case "PartialObjectMetadata":
    case "PartialObjectMetadataList":
      return metadataBytes(call, entry, representation);
    case "Table":
      return tableOf(
        served,
        representation.version,
        "",
        [tableRow(call, served, entry, includeOf(call), representation.version)],
        true,
      );
  }
}

export type IncludeObject = "None" | "Metadata" | "Object";

export function includeOf(call: Pick<Call, "info">): IncludeObject {
  const asked = call.info.query.get("includeObject");
  return asked === "None" || asked === "Object" ? asked : "Metadata";
}

/** One row of a table. */
export function tableRow(
  call: Pick<Call, "parts">,
  served: Served,
  entry: Entry,
  include: IncludeObject,
  version: string,
): Uint8Array {
  const stored = call.parts.objects.decoded(entry);
  // Columns of built-in kinds are written for what is stored, those of custom ones belong to a version.
  const object = served.custom === undefined ? stored : inVersion(served, stored);
  const head = rowHead(served.kind, object, call.parts.clock.now());
  if (include === "None") return concatBytes([head, rowObject, bytesOf("null"), rowEnd]);
  const body = include === "Object" ? jsonInVersion(call, served, entry) : partialMetadata(entry, version);
  return concatBytes([head, rowObject, body, rowEnd]);
}

/** A Table of rows; `listMeta` is the inside of its metadata. */
export function tableOf(
  served: Served,
  version: string,
  listMeta: string,
  rows: readonly Uint8Array[],
  withColumns: boolean,
): Uint8Array {
  const columns = withColumns
    ? `"columnDefinitions":${JSON.stringify(columnDefinitions(served.kind))},`
    : `"columnDefinitions":[],`;
  const parts = [
    bytesOf(`{"kind":"Table","apiVersion":"meta.k8s.io/${version}","metadata":{${listMeta}},${columns}"rows":[`),
  ];
  rows.forEach((row, index) => {
    if (0 < index) parts.push(bytesOf(","));
    parts.push(row);
  });
  parts.push(bytesOf("]}"));
  return concatBytes(parts);
}

/** An object that is not stored, in any representation that makes sense for it. */
export function representValue(
  call: Call,
  served: Served | undefined,
  value: Record<string, unknown>,
  representation: Representation,
): Uint8Array {
  if (representation.media === "yaml") return encodeYaml(value);
  if (representation.media === "protobuf" && served !== undefined) {
    const object = value as ApiObject;
    const { as, version } = representation;
    return as === "object" ? encodeProtobufObject(served, object) : encodeProtobufMetadata(object, version);
  }
  if (served === undefined || value.kind !== served.resource.kind || representation.as === "object")
    return encodeJson(value);
  const metadata = {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${representation.version}`,
    metadata: value.metadata,
  };
  if (representation.as !== "Table") return encodeJson(metadata);
  const { clock, registry } = call.parts;
  const object = value as ApiObject;
  const stored = served.custom === undefined ? toStorage(served, registry.storageServed(served), object) : object;
  const head = rowHead(served.kind, stored, clock.now());
  const row = concatBytes([head, rowObject, encodeJson(includeOf(call) === "Object" ? value : metadata), rowEnd]);
  return tableOf(served, representation.version, "", [row], true);
}

export const jsonOpen: Uint8Array = open;
