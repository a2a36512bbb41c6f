import { stringifyJson } from "#codec/json.ts";
import { WireWriter } from "#codec/protobuf-wire.ts";
import { isRecord } from "#codec/record.ts";
import type { Json } from "./documented.ts";

/** What kubectl and client-go ask /openapi/v2 for; they understand nothing else there. */
export const openApiV2Protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** As answers name it. */
export const openApiV2ProtobufType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/**
 * The OpenAPI 2 document as protobuf, with the parts that clients read: definitions, and which parameters the PATCH of a kind
 * takes. The writer works from the end, so each message's fields are written in reverse.
 */
export function encodeOpenApiV2(document: Json): Uint8Array {
  const writer = new WireWriter();
  nested(writer, 9, () => {
    for (const [name, schema] of reversed(document["definitions"])) namedSchema(writer, 1, name, schema);
  });
  nested(writer, 8, () => {
    for (const [path, item] of reversed(document["paths"])) pathItem(writer, path, item);
  });
  nested(writer, 2, () => {
    const info = isRecord(document["info"]) ? document["info"] : {};
    text(writer, 2, info["version"]);
    text(writer, 1, info["title"]);
  });
  writer.string(1, "2.0");
  return writer.finish();
}

function nested(writer: WireWriter, number: number, write: () => void): void {
  const before = writer.length;
  write();
  writer.close(number, before);
}

function reversed(record: unknown): [string, Json][] {
  if (!isRecord(record)) return [];
  return Object.entries(record)
    .filter((entry): entry is [string, Json] => isRecord(entry[1]))
    .reverse();
}

function text(writer: WireWriter, number: number, value: unknown): void {
  if (typeof value === "string") writer.string(number, value);
}

/** Free data travels as YAML, of which JSON is a part. */
function any(writer: WireWriter, number: number, value: unknown): void {
  if (value !== undefined) nested(writer, number, () => writer.string(2, stringifyJson(value)));
}

function namedSchema(writer: WireWriter, number: number, name: string, schema: Json): void {
  nested(writer, number, () => {
    nested(writer, 2, () => writeSchema(writer, schema));
    writer.string(1, name);
  });
}

function extensions(writer: WireWriter, number: number, schema: Json): void {
  for (const [name, value] of Object.entries(schema).reverse()) {
    if (!name.startsWith("x-")) continue;
    nested(writer, number, () => {
      any(writer, 2, value);
      writer.string(1, name);
    });
  }
}

function writeSchema(writer: WireWriter, schema: Json): void {
  extensions(writer, 31, schema);
  const { properties, items, additionalProperties, type, required, allOf } = schema;
  if (isRecord(properties)) {
    nested(writer, 25, () => {
      for (const [name, inner] of reversed(properties)) namedSchema(writer, 1, name, inner);
    });
  }
  if (Array.isArray(allOf)) {
    for (const part of [...(allOf as unknown[])].reverse())
      if (isRecord(part)) nested(writer, 24, () => writeSchema(writer, part));
  }
  if (isRecord(items)) nested(writer, 23, () => nested(writer, 1, () => writeSchema(writer, items)));
  if (typeof type === "string") nested(writer, 22, () => writer.string(1, type));
  if (isRecord(additionalProperties))
    nested(writer, 21, () => nested(writer, 1, () => writeSchema(writer, additionalProperties)));
  if (Array.isArray(required)) for (const name of [...(required as unknown[])].reverse()) text(writer, 19, name);
  any(writer, 5, schema["default"]);
  text(writer, 4, schema["description"]);
  text(writer, 2, schema["format"]);
  text(writer, 1, schema["$ref"]);
}

function pathItem(writer: WireWriter, path: string, item: Json): void {
  const { patch } = item;
  if (!isRecord(patch)) return;
  nested(writer, 2, () => {
    nested(writer, 2, () => nested(writer, 8, () => operation(writer, patch, item["parameters"])));
    writer.string(1, path);
  });
}

function operation(writer: WireWriter, patch: Json, shared: unknown): void {
  extensions(writer, 13, patch);
  const own = Array.isArray(patch["parameters"]) ? (patch["parameters"] as unknown[]) : [];
  const all = Array.isArray(shared) ? [...(shared as unknown[]), ...own] : own;
  for (const parameter of all.reverse()) {
    if (!isRecord(parameter) || parameter["in"] !== "query") continue;
    // ParametersItem, Parameter, NonBodyParameter, QueryParameterSubSchema.
    nested(writer, 8, () =>
      nested(writer, 1, () =>
        nested(writer, 2, () =>
          nested(writer, 3, () => {
            text(writer, 6, parameter["type"]);
            text(writer, 4, parameter["name"]);
            text(writer, 2, parameter["in"]);
          }),
        ),
      ),
    );
  }
  text(writer, 5, patch["operationId"]);
}
