import type { PartialObjectMetadata } from "#api/generated/meta-v1.ts";
import type { AggregatedApis, Resource } from "#api/resource.ts";
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

/** A collectable resource with an informer that knows at least the metadata of its objects. */
export interface Collectable {
  readonly resource: Resource<unknown>;
  readonly informer: Informer<ObjectView>;
}

/** Every collectable resource, of this server and of those behind it. */
export interface MetadataInformers {
  /** In the order of discovery. */
  all(): readonly Collectable[];
  /** Those whose objects this server keeps itself. Others answer late or not at all: nobody waits for them. */
  own(): readonly Informer<ObjectView>[];
  /** The served resource of an owner reference; undefined when nothing such is served. */
  ofKind(apiVersion: string, kind: string): Resource<unknown> | undefined;
  /** Asks again what is served: starts informers for what is new, stops those for what is no more. */
  refresh(): void;
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

interface Known extends Collectable {
  readonly isElsewhere: boolean;
  /** Of an informer that nobody else uses. */
  readonly declaration: InformerDeclaration<PartialObjectMetadata, ObjectView> | undefined;
}

/**
 * Metadata of all kinds. Where a controller watches a resource already, its informer is used; for the rest the server is
 * asked for metadata alone.
 */
export function createMetadataInformers(
  informers: Informers,
  resources: () => readonly Resource<unknown>[],
  aggregated: Pick<AggregatedApis, "all"> | undefined,
): MetadataInformers {
  const own = ownInformers(informers);
  const known = new Map<string, Known>();
  const kinds = new Map<string, Resource<unknown>>();
  const enter = (resource: Resource<unknown>, isElsewhere: boolean): void => {
    kinds.set(`${resource.group}/${resource.version}/${resource.kind}`, resource);
    const id = `${resource.group}/${resource.resource}`;
    if (known.has(id) || notWatched.has(id) || !watchedVerbs.every((verb) => resource.verbs.includes(verb))) return;
    const shared = own.get(id);
    const declaration = shared === undefined ? metadataDeclaration(resource, isElsewhere) : undefined;
    const informer = shared ?? informers.of(declaration!);
    known.set(id, { resource, informer, isElsewhere, declaration });
  };
  return {
    all: () => [...known.values()],
    own: () => [...known.values()].filter(({ isElsewhere }) => !isElsewhere).map(({ informer }) => informer),
    refresh() {
      const here = resources();
      const elsewhere = (aggregated?.all() ?? []).flatMap((api) => api.resources);
      const served = new Set([...here, ...elsewhere].map(versionId));
      for (const [id, { resource, declaration }] of known) {
        if (declaration === undefined || served.has(versionId(resource))) continue;
        informers.drop(declaration);
        known.delete(id);
      }
      for (const resource of here) enter(resource, false);
      for (const resource of elsewhere) enter(resource, true);
    },
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

const watchedVerbs = ["list", "watch", "delete"];

function versionId({ group, version, resource }: Resource<unknown>): string {
  return `${group}/${version}/${resource}`;
}

function metadataDeclaration(
  resource: Resource<unknown>,
  isElsewhere: boolean,
): InformerDeclaration<PartialObjectMetadata, ObjectView> {
  return {
    resource: resource as Resource<PartialObjectMetadata>,
    metadataOnly: true,
    isElsewhere,
    project: (object) => objectView(object.metadata),
    indexes: objectIndexes,
  };
}
