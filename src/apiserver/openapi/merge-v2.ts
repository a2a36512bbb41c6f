import { isEqualValue, isRecord, PlainRecord } from "#codec/record.ts";
import type { Json } from "./documented.ts";

/** The part of another server's OpenAPI 2 document that is taken over: its group version's paths, and what they refer to. */
export interface RemotePart {
  readonly paths: Json;
  readonly definitions: Json;
}

const kindsKey = "x-kubernetes-group-version-kind";
const referencePrefix = "#/definitions/";

/** What a server publishes below `/apis/{group}/{version}/`, and nothing else of its document; undefined when there is nothing. */
export function remotePartOf(document: unknown, apiVersion: string): RemotePart | undefined {
  if (!isRecord(document) || !isRecord(document["paths"])) return undefined;
  const root = `/apis/${apiVersion}`;
  const paths = new PlainRecord();
  for (const [path, item] of Object.entries(document["paths"]))
    if ((path === root || path.startsWith(`${root}/`)) && isRecord(item)) paths[path] = item;
  if (Object.keys(paths).length === 0) return undefined;
  const theirs = isRecord(document["definitions"]) ? document["definitions"] : {};
  const definitions = new PlainRecord();
  const pending = [...referencesIn(paths)];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const definition = Object.hasOwn(theirs, name) ? theirs[name] : undefined;
    if (!isRecord(definition) || Object.hasOwn(definitions, name)) continue;
    definitions[name] = definition;
    pending.push(...referencesIn(definition));
  }
  return { paths, definitions };
}

/**
 * One OpenAPI 2 document of ours and of other servers. A path of ours stays ours. Definitions of one name that say the same
 * (descriptions and kinds aside) become one, with the kinds of all; where they differ, theirs is called `NAME_v2`, as upstream does.
 */
export function mergeOpenApiV2(ours: Json, parts: readonly RemotePart[]): Json {
  const paths = recordAt(ours, "paths");
  const definitions = recordAt(ours, "definitions");
  for (const part of parts) {
    const names = newNames(definitions, part.definitions);
    for (const [name, definition] of Object.entries(part.definitions) as [string, Json][]) {
      const target = names.get(name) ?? name;
      const known = Object.hasOwn(definitions, target) ? (definitions[target] as Json) : undefined;
      definitions[target] = known === undefined ? renamed(definition, names) : withKindsOf(known, definition);
    }
    for (const [path, item] of Object.entries(part.paths))
      if (!Object.hasOwn(paths, path)) paths[path] = renamed(item, names);
  }
  return { ...ours, paths, definitions };
}

/** How those of their definitions are called that cannot keep their name: they differ from ours, or refer to one that does. */
function newNames(ours: Json, theirs: Json): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const references = new Map(Object.entries(theirs).map(([name, each]) => [name, referencesIn(each)]));
  for (let before = -1; before < names.size;) {
    before = names.size;
    for (const [name, definition] of Object.entries(theirs)) {
      if (names.has(name) || !Object.hasOwn(ours, name)) continue;
      const refersToRenamed = [...(references.get(name) ?? [])].some((each) => names.has(each));
      if (refersToRenamed || !saysTheSame(ours[name], definition)) names.set(name, freeName(ours, theirs, name));
    }
  }
  return names;
}

function freeName(ours: Json, theirs: Json, name: string): string {
  for (let number = 2; ; number += 1) {
    const candidate = `${name}_v${number}`;
    if (!Object.hasOwn(ours, candidate) && !Object.hasOwn(theirs, candidate)) return candidate;
  }
}

function saysTheSame(left: unknown, right: unknown): boolean {
  return isEqualValue(comparable(left, true), comparable(right, true));
}

function comparable(value: unknown, isDefinition = false): unknown {
  if (Array.isArray(value)) return value.map((each) => comparable(each));
  if (!isRecord(value)) return value;
  const record = new PlainRecord();
  for (const [key, inner] of Object.entries(value))
    if (!(key === "description" && typeof inner === "string") && !(isDefinition && key === kindsKey))
      record[key] = comparable(inner);
  return record;
}

function withKindsOf(known: Json, other: Json): Json {
  const kinds = listAt(known, kindsKey);
  const more = listAt(other, kindsKey).filter((kind) => !kinds.some((each) => isEqualValue(each, kind)));
  return more.length === 0 ? known : { ...known, [kindsKey]: [...kinds, ...more] };
}

function referencesIn(value: unknown, found = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const each of value) referencesIn(each, found);
  else if (isRecord(value)) {
    for (const [key, inner] of Object.entries(value)) {
      const name = key === "$ref" ? referenceName(inner) : undefined;
      if (name === undefined) referencesIn(inner, found);
      else found.add(name);
    }
  }
  return found;
}

function referenceName(value: unknown): string | undefined {
  return typeof value === "string" && value.startsWith(referencePrefix)
    ? value.slice(referencePrefix.length)
    : undefined;
}

function renamed(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (names.size === 0) return value;
  if (Array.isArray(value)) return value.map((each) => renamed(each, names));
  if (!isRecord(value)) return value;
  const record = new PlainRecord();
  for (const [key, inner] of Object.entries(value)) {
    const name = key === "$ref" ? referenceName(inner) : undefined;
    const other = name === undefined ? undefined : names.get(name);
    record[key] = other === undefined ? renamed(inner, names) : `${referencePrefix}${other}`;
  }
  return record;
}

function recordAt(value: Json, key: string): Json {
  const inner = value[key];
  const copy = new PlainRecord();
  if (isRecord(inner)) for (const name of Object.keys(inner)) copy[name] = inner[name];
  return copy;
}

function listAt(value: Json, key: string): readonly unknown[] {
  const inner = value[key];
  return Array.isArray(inner) ? (inner as unknown[]) : [];
}
