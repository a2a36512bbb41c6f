import type { NodeSelector } from "#api/generated/core-v1.ts";
import { deviceclasses, resourceclaims, resourceslices } from "#api/generated/resources.ts";
import type {
  AllocationResult,
  CounterSet,
  Device,
  DeviceClaim,
  DeviceClass,
  DeviceClassSpec,
  ResourceClaim,
  ResourceClaimConsumerReference,
  ResourceSlice,
} from "#api/generated/resource-v1.ts";

/** What the scheduler keeps of a ResourceClaim. */
export interface DeviceClaimView {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly deleting: boolean;
  readonly finalizers: readonly string[];
  /** Uid of the pod for which it was made from a template. */
  readonly ownerUid: string | undefined;
  readonly devices: DeviceClaim;
  readonly allocation: AllocationResult | undefined;
  readonly reservedFor: readonly ResourceClaimConsumerReference[];
}

/** What the scheduler keeps of a ResourceSlice. */
export interface SliceView {
  readonly name: string;
  readonly driver: string;
  readonly pool: string;
  readonly generation: number;
  /** Slices that the pool has in this generation. */
  readonly sliceCount: number;
  readonly nodeName: string | undefined;
  readonly nodeSelector: NodeSelector | undefined;
  readonly allNodes: boolean;
  /** Each device says for itself where it can be reached. */
  readonly perDevice: boolean;
  readonly devices: readonly Device[];
  readonly counterSets: readonly CounterSet[];
}

export const deviceClaimDeclaration = {
  resource: resourceclaims,
  project: ({ metadata, spec, status }: ResourceClaim): DeviceClaimView => ({
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    uid: metadata.uid ?? "",
    resourceVersion: metadata.resourceVersion ?? "",
    deleting: metadata.deletionTimestamp !== undefined,
    finalizers: metadata.finalizers ?? [],
    ownerUid: metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid,
    devices: spec.devices ?? { requests: [] },
    allocation: status?.allocation,
    reservedFor: status?.reservedFor ?? [],
  }),
};

export const sliceDeclaration = {
  resource: resourceslices,
  project: ({ metadata, spec }: ResourceSlice): SliceView => ({
    name: metadata.name ?? "",
    driver: spec.driver,
    pool: spec.pool?.name ?? "",
    generation: spec.pool?.generation ?? 0,
    sliceCount: spec.pool?.resourceSliceCount ?? 1,
    nodeName: spec.nodeName,
    nodeSelector: spec.nodeSelector,
    allNodes: spec.allNodes === true,
    perDevice: spec.perDeviceNodeSelection === true,
    devices: spec.devices ?? [],
    counterSets: spec.sharedCounters ?? [],
  }),
};

export const deviceClassDeclaration = {
  resource: deviceclasses,
  project: ({ spec }: DeviceClass): DeviceClassSpec => spec,
};
