import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from "#api/generated/apiextensions-v1.ts";
import { ageColumn, nameColumn } from "#api/columns.ts";
import { ageOf } from "#api/human-duration.ts";
import type { ApiObject, Cell, Column, Kind, KindRules } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { CustomParts, KindEntry } from "../registry.ts";
import { compareVersions } from "../discovery/documents.ts";
import type { Conversion } from "./conversion.ts";
import { parseJsonPath } from "./json-path.ts";
import { structuralSchema } from "./structural.ts";
import { holds } from "./standing.ts";
import { shown } from "../objects/shown.ts";

const verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/**
 * What a definition serves, as the registry takes it; undefined when no version is served or none is stored. Its names are those
 * that were accepted.
 */
export function kindOfDefinition(given: CustomResourceDefinition): KindEntry | undefined {
  const accepted = given.status?.acceptedNames;
  const definition = accepted?.plural ? { ...given, spec: { ...given.spec, names: accepted } } : given;
  const all = definition.spec.versions;
  const byVersion = new Map(all.map((version) => [version, resourceOf(definition, version)]));
  const stored = all.find((version) => version.storage);
  const storage = stored && byVersion.get(stored);
  const served = all.filter((version) => version.served).sort((left, right) => compareVersions(left.name, right.name));
  if (storage === undefined || served.length === 0) return undefined;
  const versions = served.map((version) => byVersion.get(version)!);
  const kind: Kind = { versions, storage, rules: {} };
  const schemas = new Map(
    served.map((version) => [byVersion.get(version)!, structuralSchema(version.schema?.openAPIV3Schema)]),
  );
  const custom = new Map(served.map((version) => [byVersion.get(version)!, customParts(definition, version)]));
  const kinds = new Map(served.map((version) => [byVersion.get(version)!, { ...kind, rules: rulesOf(version) }]));
  return { kind, schemas, custom, kinds };
}

function resourceOf({ spec }: CustomResourceDefinition, version: CustomResourceDefinitionVersion): Resource<ApiObject> {
  const { names, group, scope } = spec;
  const subresources = [];
  if (version.subresources?.scale !== undefined)
    subresources.push({ name: "scale", kind: "Scale", verbs: ["get", "patch", "update"] });
  if (version.subresources?.status !== undefined)
    subresources.push({ name: "status", kind: names.kind, verbs: ["get", "patch", "update"] });
  return {
    group,
    version: version.name,
    resource: names.plural,
    kind: names.kind,
    namespaced: scope === "Namespaced",
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    subresources,
    type: "",
  };
}

function customParts(definition: CustomResourceDefinition, version: CustomResourceDefinitionVersion): CustomParts {
  const { names, group } = definition.spec;
  const scale = version.subresources?.scale;
  const deprecation = `${group}/${version.name} ${names.kind} is deprecated`;
  return {
    definitionName: definition.metadata.name ?? "",
    singular: names.singular,
    hasStatus: version.subresources?.status !== undefined,
    scale: scale && {
      specPath: scale.specReplicasPath,
      statusPath: scale.statusReplicasPath,
      selectorPath: scale.labelSelectorPath,
    },
    schema: version.schema?.openAPIV3Schema,
    conversion: conversionOf(definition),
    isTerminating: holds(definition, "Terminating"),
    warning: version.deprecated === true ? (version.deprecationWarning ?? deprecation) : undefined,
  };
}

function conversionOf({ spec }: CustomResourceDefinition): Conversion | undefined {
  const { strategy, webhook } = spec.conversion ?? {};
  if (strategy !== "Webhook" || webhook?.clientConfig === undefined) return undefined;
  return { config: webhook.clientConfig, reviewVersions: webhook.conversionReviewVersions ?? [] };
}

function rulesOf(version: CustomResourceDefinitionVersion): KindRules {
  return { ...columnsOf(version), fieldSelectors: selectableFields(version) };
}

function selectableFields(version: CustomResourceDefinitionVersion): Record<string, (object: ApiObject) => string> {
  const fields: Record<string, (object: ApiObject) => string> = {};
  for (const { jsonPath } of version.selectableFields ?? []) {
    const read = parseJsonPath(jsonPath);
    if (read !== undefined) fields[jsonPath.replace(/^\./, "")] = (object) => shown(read(object)[0] ?? "");
  }
  return fields;
}

/**
 * Name, then the definition's columns up to the first whose path cannot be read; without any, Name and Age. A column shows the
 * first value that its path leads to.
 */
function columnsOf(version: CustomResourceDefinitionVersion): Pick<KindRules, "columns" | "cells"> {
  const own = version.additionalPrinterColumns ?? [];
  const readers: ((object: ApiObject, now: number) => Cell)[] = [];
  const columns: Column[] = [];
  if (own.length === 0) {
    columns.push({ ...ageColumn, type: "date" });
    readers.push((object, now) => ageOf(object.metadata.creationTimestamp, now));
  }
  for (const { name, type, format, description, jsonPath, priority } of own) {
    const read = parseJsonPath(jsonPath);
    if (read === undefined) break;
    columns.push({
      name,
      type: type as Column["type"],
      ...(format !== undefined && { format }),
      description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      priority: priority ?? 0,
    });
    readers.push((object, now) => cellOf(type, read(object)[0], now));
  }
  return {
    columns: [nameColumn, ...columns],
    cells: (object, now) => [object.metadata.name, ...readers.map((read) => read(object, now))],
  };
}

function cellOf(type: string, value: unknown, now: number): Cell {
  if (value === undefined || value === null) return undefined;
  switch (type) {
    case "date":
      return typeof value !== "string" ? undefined : Number.isNaN(Date.parse(value)) ? "<invalid>" : ageOf(value, now);
    case "integer":
      return typeof value === "number" || typeof value === "bigint" ? Math.trunc(Number(value)) : undefined;
    case "number":
      return typeof value === "number" || typeof value === "bigint" ? Number(value) : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    default:
      return shown(value);
  }
}
