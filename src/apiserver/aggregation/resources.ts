import type { ApiObject, Kind } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import { parseJson } from "#codec/json.ts";
import { isRecord } from "#codec/record.ts";
import type { KindEntry } from "../registry.ts";
import { resourcesMax } from "./limits.ts";

/** What a server answered for `/apis/{group}/{version}`: its resources as the registry takes them; a text says what is wrong. */
export function resourcesOf(body: Uint8Array, group: string, version: string): KindEntry[] | string {
  const parsed = parseJson(body);
  if (!parsed.ok || !isRecord(parsed.value)) return "the answer is no JSON object";
  const { kind, resources } = parsed.value;
  if (kind !== "APIResourceList" || !Array.isArray(resources)) return "the answer is no APIResourceList";
  const listed = resources.filter(isRecord).slice(0, resourcesMax);
  return listed.flatMap((each) => {
    const name = textOf(each.name);
    if (name === "" || name.includes("/")) return [];
    const subresources = listed.flatMap((other): Resource<ApiObject>["subresources"][number][] => {
      const [parent, subresource] = textOf(other.name).split("/", 2);
      return parent !== name || subresource === undefined
        ? []
        : [{ name: subresource, kind: textOf(other.kind), verbs: textsOf(other.verbs) }];
    });
    const resource: Resource<ApiObject> = {
      group,
      version,
      resource: name,
      kind: textOf(each.kind),
      namespaced: each.namespaced === true,
      shortNames: textsOf(each.shortNames),
      categories: textsOf(each.categories),
      verbs: textsOf(each.verbs),
      subresources,
      type: "",
    };
    return [entryOf(resource, textOf(each.singularName))];
  });
}

function entryOf(resource: Resource<ApiObject>, singular: string): KindEntry {
  const kind: Kind = { versions: [resource], storage: resource, rules: {} };
  const schema = { node: "struct", name: "", fields: [], byName: new Map(), preserveUnknown: true } as const;
  const custom = {
    definitionName: "",
    singular: singular === "" ? undefined : singular,
    hasStatus: false,
    scale: undefined,
    schema: undefined,
    warning: undefined,
  };
  return { kind, schemas: new Map([[resource, schema]]), custom: new Map([[resource, custom]]) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}
