import { verbsOf, type Registry, type Served } from "../registry.ts";

/** The order in which upstream lists its own groups; others follow by name. */
const groupOrder = [
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "resource.k8s.io",
  "flowcontrol.apiserver.k8s.io",
];

/** Group, its versions (preferred first), and what each serves. */
export interface ServedGroup {
  readonly name: string;
  readonly versions: readonly {
    readonly version: string;
    readonly apiVersion: string;
    readonly resources: readonly Served[];
  }[];
}

/** Everything served, by group and version, in the order of discovery. */
export function servedGroups(registry: Registry): ServedGroup[] {
  const groups = new Map<string, Map<string, Served[]>>();
  const resourcesOf = (group: string, version: string): Served[] => {
    let versions = groups.get(group);
    if (versions === undefined) groups.set(group, (versions = new Map()));
    let resources = versions.get(version);
    if (resources === undefined) versions.set(version, (resources = []));
    return resources;
  };
  for (const served of registry.all()) resourcesOf(served.resource.group, served.resource.version).push(served);
  // Of a server that never answered nothing but this is known.
  for (const apiVersion of registry.staleVersions()) {
    const [group = "", version = ""] = apiVersion.split("/", 2);
    resourcesOf(group, version);
  }
  return [...groups.entries()]
    .map(([name, versions]): ServedGroup => ({
      name,
      versions: [...versions.entries()]
        .sort(([left], [right]) => compareVersions(left, right))
        .map(([version, resources]) => ({
          version,
          apiVersion: name === "" ? version : `${name}/${version}`,
          resources: resources.sort((left, right) => (left.resource.resource < right.resource.resource ? -1 : 1)),
        })),
    }))
    .sort((left, right) => rank(left.name) - rank(right.name) || (left.name < right.name ? -1 : 1));
}

function rank(group: string): number {
  const index = groupOrder.indexOf(group);
  return group === "" ? -1 : index === -1 ? groupOrder.length : index;
}

/** Kubernetes' order of versions: stable before beta before alpha, higher numbers first, everything else by name after them. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [versionRank(left), versionRank(right)];
  if (a === undefined || b === undefined) return a === b ? (left < right ? -1 : 1) : a === undefined ? 1 : -1;
  return b.stability - a.stability || b.major - a.major || b.minor - a.minor;
}

function versionRank(version: string): { stability: number; major: number; minor: number } | undefined {
  const match = /^v([0-9]+)(?:(alpha|beta)([0-9]+))?$/.exec(version);
  if (match === null) return undefined;
  return {
    stability: match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0,
    major: Number(match[1]),
    minor: Number(match[3] ?? 0),
  };
}

export function coreVersions(): Record<string, unknown> {
  return {
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "" }],
  };
}

export function groupList(registry: Registry): Record<string, unknown> {
  const groups = servedGroups(registry).filter(({ name }) => name !== "");
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(groupValue) };
}

export function groupDocument(registry: Registry, name: string): Record<string, unknown> | undefined {
  const group = name === "" ? undefined : servedGroups(registry).find((candidate) => candidate.name === name);
  return group === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...groupValue(group) };
}

function groupValue({ name, versions }: ServedGroup): Record<string, unknown> {
  const listed = versions.map(({ apiVersion, version }) => ({ groupVersion: apiVersion, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

/** `/api/v1`, `/apis/apps/v1`: the resources of one group version. */
export function resourceList(registry: Registry, apiVersion: string): Record<string, unknown> | undefined {
  const all = registry.all().filter((served) => served.apiVersion === apiVersion);
  if (all.length === 0) return undefined;
  all.sort((left, right) => (left.resource.resource < right.resource.resource ? -1 : 1));
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersion,
    resources: all.flatMap(resourceValues),
  };
}

function resourceValues(served: Served): Record<string, unknown>[] {
  const { resource, custom } = served;
  const main = {
    name: resource.resource,
    singularName: custom === undefined ? resource.kind.toLowerCase() : (custom.singular ?? resource.kind.toLowerCase()),
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: verbsOf(served),
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
  };
  const subresources = resource.subresources.map(({ name, kind, verbs }) => ({
    name: `${resource.resource}/${name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...foreignKind(kind, resource.kind),
    kind,
    verbs: [...verbs].sort(),
  }));
  return [main, ...subresources];
}

/** Subresources whose kind belongs to another group name it. */
export function foreignKind(kind: string, ownKind: string): { group: string; version: string } | undefined {
  if (kind === ownKind) return undefined;
  if (kind === "Scale") return { group: "autoscaling", version: "v1" };
  if (kind === "Eviction") return { group: "policy", version: "v1" };
  return kind === "TokenRequest" ? { group: "authentication.k8s.io", version: "v1" } : undefined;
}
