import type { PartialObjectMetadata } from "#api/generated/meta-v1.ts";
import type { Resource } from "#api/resource.ts";
import type { Informer, InformerDeclaration } from "#reconcile/informer.ts";
import type { Informers } from "#reconcile/informers.ts";
import { objectIndexes, objectView, type ObjectView } from "#reconcile/object-view.ts";
import { cronJobDeclaration, jobDeclaration } from "./batch.ts";
import {
  configMapDeclaration,
  namespaceDeclaration,
  secretDeclaration,
  serviceAccountDeclaration,
} from "./namespace.ts";
import {
  addressDeclaration,
  endpointsDeclaration,
  serviceDeclaration,
  serviceRangeDeclaration,
  sliceDeclaration,
} from "./network.ts";
import { leaseDeclaration, nodeDeclaration } from "./node.ts";
import { podDeclaration } from "./pod.ts";
import { budgetDeclaration, quotaDeclaration } from "./policy.ts";
import { claimDeclaration, storageClassDeclaration, volumeDeclaration } from "./storage.ts";
import {
  daemonSetDeclaration,
  deploymentDeclaration,
  replicaSetDeclaration,
  revisionDeclaration,
  statefulSetDeclaration,
} from "./workload.ts";

/** Every collectable resource with an informer that knows at least the metadata of its objects. */
export interface MetadataInformers {
  /** In the order of discovery. */
  all(): readonly { readonly resource: Resource<unknown>; readonly informer: Informer<ObjectView> }[];
  /** The served resource of an owner reference; undefined when nothing such is served. */
  ofKind(apiVersion: string, kind: string): Resource<unknown> | undefined;
  /** Asks again what is served and starts informers for what is new. Answers what was added. */
  refresh(): readonly Informer<ObjectView>[];
}

/** Nobody owns through Events, and they are too many to remember. */
const notWatched: ReadonlySet<string> = new Set(["/events", "events.k8s.io/events"]);

/** The informers that the controllers have anyway; their views begin with the metadata. */
function ownInformers(informers: Informers): ReadonlyMap<string, Informer<ObjectView>> {
  const own: readonly Informer<ObjectView>[] = [
    informers.of(podDeclaration),
    informers.of(nodeDeclaration),
    informers.of(leaseDeclaration),
    informers.of(namespaceDeclaration),
    informers.of(serviceAccountDeclaration),
    informers.of(configMapDeclaration),
    informers.of(secretDeclaration),
    informers.of(serviceDeclaration),
    informers.of(endpointsDeclaration),
    informers.of(sliceDeclaration),
    informers.of(addressDeclaration),
    informers.of(serviceRangeDeclaration),
    informers.of(claimDeclaration),
    informers.of(volumeDeclaration),
    informers.of(storageClassDeclaration),
    informers.of(deploymentDeclaration),
    informers.of(replicaSetDeclaration),
    informers.of(statefulSetDeclaration),
    informers.of(daemonSetDeclaration),
    informers.of(revisionDeclaration),
    informers.of(jobDeclaration),
    informers.of(cronJobDeclaration),
    informers.of(budgetDeclaration),
    informers.of(quotaDeclaration),
  ];
  return new Map(own.map((informer) => [`${informer.resource.group}/${informer.resource.resource}`, informer]));
}

/**
 * Metadata of all kinds. Where a controller watches a resource already, its informer is used; for the rest the server is
 * asked for metadata alone.
 */
export function createMetadataInformers(
  informers: Informers,
  resources: () => readonly Resource<unknown>[],
): MetadataInformers {
  const own = ownInformers(informers);
  const known = new Map<string, { resource: Resource<unknown>; informer: Informer<ObjectView> }>();
  const kinds = new Map<string, Resource<unknown>>();
  const refresh = (): readonly Informer<ObjectView>[] => {
    const added: Informer<ObjectView>[] = [];
    for (const resource of resources()) {
      kinds.set(`${resource.group}/${resource.version}/${resource.kind}`, resource);
      const id = `${resource.group}/${resource.resource}`;
      if (
        known.has(id) ||
        notWatched.has(id) ||
        !["list", "watch", "delete"].every((verb) => resource.verbs.includes(verb))
      )
        continue;
      const informer = own.get(id) ?? informers.of(metadataDeclaration(resource));
      known.set(id, { resource, informer });
      added.push(informer);
    }
    return added;
  };
  return {
    all: () => [...known.values()],
    refresh,
    ofKind(apiVersion, kind) {
      const slash = apiVersion.indexOf("/");
      const group = slash === -1 ? "" : apiVersion.slice(0, slash);
      const version = apiVersion.slice(slash + 1);
      return (
        kinds.get(`${group}/${version}/${kind}`) ??
        [...kinds.values()].find((served) => served.group === group && served.kind === kind)
      );
    },
  };
}

function metadataDeclaration(resource: Resource<unknown>): InformerDeclaration<PartialObjectMetadata, ObjectView> {
  return {
    resource: resource as Resource<PartialObjectMetadata>,
    metadataOnly: true,
    project: (object) => objectView(object.metadata),
    indexes: objectIndexes,
  };
}
