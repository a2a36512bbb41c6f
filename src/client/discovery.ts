import { builtInResources } from "#api/generated/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "./client.ts";

interface ApiResourceList {
  readonly groupVersion: string;
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs?: readonly string[];
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
    readonly singularName?: string;
  }[];
}

/** Resources by what a user may type. */
export interface Discovery {
  readonly resources: readonly Resource<unknown>[];
  /** By plural, singular, kind (any case), short name, or `name.group`; undefined when nothing matches. */
  find(typed: string): Resource<unknown> | undefined;
  byKind(apiVersion: string, kind: string): Resource<unknown> | undefined;
}

/** Looks resources up in a given list; earlier entries win where a name is ambiguous. */
function createDiscovery(resources: readonly Resource<unknown>[]): Discovery {
  const byName = new Map<string, Resource<unknown>>();
  const byKind = new Map<string, Resource<unknown>>();
  const add = (name: string, resource: Resource<unknown>): void => {
    if (!byName.has(name)) byName.set(name, resource);
  };
  for (const resource of resources) {
    byKind.set(`${resource.group}/${resource.version}/${resource.kind}`, resource);
    for (const name of [resource.resource, resource.kind.toLowerCase(), ...resource.shortNames]) {
      add(name, resource);
      add(`${name}.${resource.group}`, resource);
      add(`${name}.${resource.version}.${resource.group}`, resource);
    }
  }
  return {
    resources,
    find: (typed) => byName.get(typed.toLowerCase()),
    byKind(apiVersion, kind) {
      const slash = apiVersion.indexOf("/");
      const group = slash === -1 ? "" : apiVersion.slice(0, slash);
      return byKind.get(`${group}/${apiVersion.slice(slash + 1)}/${kind}`);
    },
  };
}

/** The built-in resources alone: needs no server. */
export function builtInDiscovery(): Discovery {
  return createDiscovery(builtInResources);
}

/** Asks the server for every resource it serves, custom ones too; groups that fail to answer are left out. */
export async function discover(client: Client): Promise<Discovery> {
  const groups = (await client.request("GET", "/apis")) as { groups?: { versions?: { groupVersion: string }[] }[] };
  const paths = [
    "/api/v1",
    ...(groups.groups ?? []).flatMap((group) => (group.versions ?? []).map((v) => `/apis/${v.groupVersion}`)),
  ];
  const lists = await Promise.allSettled(paths.map((path) => client.request("GET", path)));
  const resources: Resource<unknown>[] = [];
  for (const answer of lists)
    if (answer.status === "fulfilled") resources.push(...resourcesOf(answer.value as ApiResourceList));
  return createDiscovery(resources);
}

function resourcesOf(list: ApiResourceList): Resource<unknown>[] {
  const slash = list.groupVersion.indexOf("/");
  const group = slash === -1 ? "" : list.groupVersion.slice(0, slash);
  const version = list.groupVersion.slice(slash + 1);
  const all = list.resources ?? [];
  return all
    .filter((resource) => !resource.name.includes("/"))
    .map((resource) => ({
      group,
      version,
      resource: resource.name,
      kind: resource.kind,
      namespaced: resource.namespaced,
      shortNames: resource.shortNames ?? [],
      categories: resource.categories ?? [],
      verbs: resource.verbs ?? [],
      subresources: all
        .filter((other) => other.name.startsWith(`${resource.name}/`))
        .map((other) => ({
          name: other.name.slice(resource.name.length + 1),
          kind: other.kind,
          verbs: other.verbs ?? [],
        })),
      type: builtInTypes.get(`${group}/${version}/${resource.name}`) ?? "",
    }));
}

const builtInTypes = new Map(builtInResources.map((r) => [`${r.group}/${r.version}/${r.resource}`, r.type]));
