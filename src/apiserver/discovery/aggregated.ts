import { encodeJson } from "#codec/json.ts";
import type { HttpResponse } from "#world/http.ts";
import type { Call } from "../call.ts";
import { verbsOf, type Registry, type Served } from "../registry.ts";
import { foreignKind, servedGroups, type ServedGroup } from "./documents.ts";

export type AggregatedVersion = "v2" | "v2beta1";

interface Made {
  readonly generation: number;
  readonly body: Uint8Array;
  readonly etag: string;
}

const made = new WeakMap<Registry, Map<string, Made>>();

/** Which form of aggregated discovery an Accept header prefers; undefined: the plain one. */
export function aggregatedVersion(accept: string | undefined): AggregatedVersion | undefined {
  if (accept === undefined || !accept.includes("APIGroupDiscoveryList")) return undefined;
  for (const clause of accept.split(",")) {
    const parts = new Set(clause.split(";").map((part) => part.trim()));
    if (!parts.has("as=APIGroupDiscoveryList") || !parts.has("g=apidiscovery.k8s.io")) {
      if (parts.has("application/json") && parts.size === 1) return undefined;
      continue;
    }
    if (!parts.has("application/json")) continue;
    if (parts.has("v=v2")) return "v2";
    if (parts.has("v=v2beta1")) return "v2beta1";
  }
  return undefined;
}

/** `/api` or `/apis` in one document with an ETag; made again only when what is served has changed. */
export function aggregated(call: Call, isCore: boolean, version: AggregatedVersion): HttpResponse {
  const { body, etag } = documentFor(call.parts.registry, isCore, version);
  const headers = {
    "content-type": `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    etag,
    vary: "Accept",
    "cache-control": "no-cache, private",
  };
  if (call.request.headers["if-none-match"] === etag) return { status: 304, headers, body: new Uint8Array(0) };
  return { status: 200, headers, body };
}

function documentFor(registry: Registry, isCore: boolean, version: AggregatedVersion): Made {
  let documents = made.get(registry);
  if (documents === undefined) made.set(registry, (documents = new Map()));
  const key = `${isCore ? "api" : "apis"}/${version}`;
  const known = documents.get(key);
  if (known?.generation === registry.generation) return known;
  const groups = servedGroups(registry).filter(({ name }) => (name === "") === isCore);
  const body = encodeJson({
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => groupItem(group, registry)),
  });
  const document = { generation: registry.generation, body, etag: `"${fingerprint(body)}"` };
  documents.set(key, document);
  return document;
}

/** FNV-1a in two lanes: names equal content, no more is asked of an ETag. */
export function fingerprint(bytes: Uint8Array): string {
  let first = 0x811c9dc5;
  let second = 0x01000193;
  for (const byte of bytes) {
    first = Math.imul(first ^ byte, 0x01000193) >>> 0;
    second = Math.imul(second ^ byte, 0x85ebca6b) >>> 0;
  }
  return `${first.toString(16).padStart(8, "0")}${second.toString(16).padStart(8, "0")}${bytes.length.toString(16)}`;
}

function groupItem({ name, versions }: ServedGroup, registry: Registry): Record<string, unknown> {
  return {
    metadata: name === "" ? { creationTimestamp: null } : { name, creationTimestamp: null },
    versions: versions.map(({ version, apiVersion, resources }) => ({
      version,
      ...(resources.length > 0 && { resources: resources.map(resourceItem) }),
      freshness: registry.isStale(apiVersion) ? "Stale" : "Current",
    })),
  };
}

function resourceItem(served: Served): Record<string, unknown> {
  const { resource, custom } = served;
  const subresources = resource.subresources.map(({ name, kind, verbs }) => ({
    subresource: name,
    responseKind: { group: resource.group, version: resource.version, ...foreignKind(kind, resource.kind), kind },
    verbs: [...verbs].sort(),
  }));
  return {
    resource: resource.resource,
    responseKind: { group: resource.group, version: resource.version, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: custom?.singular ?? resource.kind.toLowerCase(),
    verbs: verbsOf(served),
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}
