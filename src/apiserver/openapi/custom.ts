import { isRecord } from "#codec/record.ts";
import type { Definitions } from "./definitions.ts";
import type { Describe, Dialect, Documented, Json } from "./documented.ts";
import { customDefinitionName } from "./names.ts";

/** Words of structural schemas that OpenAPI 2 does not have. */
const wordsOfV3: ReadonlySet<string> = new Set(["nullable", "oneOf", "anyOf", "not", "x-kubernetes-validations"]);

/** Adds the definitions of a custom kind and its list; answers their names. */
export function addCustomKind(definitions: Definitions, documented: Documented, dialect: Dialect, describe: Describe) {
  const { group, version, kind } = documented.resource;
  const name = customDefinitionName(group, version, kind);
  const listName = `${name}List`;
  const given = documented.custom?.openApi ?? { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const schema = dialect === "v2" ? forV2(given) : structuredClone(given);
  const properties: Json = {
    ...(isRecord(schema["properties"]) ? schema["properties"] : {}),
    ...typeFields(describe),
    metadata: { ...referenceWith(definitions.refer("meta/v1.ObjectMeta"), dialect) },
  };
  definitions.add(name, {
    ...schema,
    type: "object",
    properties,
    "x-kubernetes-group-version-kind": [{ group, kind, version }],
  });
  definitions.add(listName, {
    description: `${kind}List is a list of ${kind}`,
    type: "object",
    required: ["items"],
    properties: {
      ...typeFields(describe),
      items: { type: "array", items: definitions.reference(name) },
      metadata: { ...referenceWith(definitions.refer("meta/v1.ListMeta"), dialect) },
    },
    "x-kubernetes-group-version-kind": [{ group, kind: `${kind}List`, version }],
  });
  return { object: definitions.reference(name), list: definitions.reference(listName) };
}

function typeFields(describe: Describe): Json {
  const field = (name: string): Json => {
    const description = describe("core/v1.ConfigMap", name);
    return { ...(description === undefined ? {} : { description }), type: "string" };
  };
  return { apiVersion: field("apiVersion"), kind: field("kind") };
}

function referenceWith(reference: Json, dialect: Dialect): Json {
  return dialect === "v2" ? reference : { allOf: [reference] };
}

/** What OpenAPI 2 can say of a structural schema; where values have several types, nothing. */
function forV2(schema: Json): Json {
  const result: Json = {};
  const isMixed = schema["x-kubernetes-int-or-string"] === true;
  for (const [key, value] of Object.entries(schema)) {
    if (wordsOfV3.has(key) || (isMixed && key === "type")) continue;
    if (key === "properties" && isRecord(value)) {
      result[key] = Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [name, isRecord(inner) ? forV2(inner) : inner]),
      );
    } else if ((key === "items" || key === "additionalProperties") && isRecord(value)) result[key] = forV2(value);
    else result[key] = value;
  }
  return result;
}
