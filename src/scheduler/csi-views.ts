import type { LabelSelector } from "#api/generated/meta-v1.ts";
import { csidrivers, csinodes, csistoragecapacities } from "#api/generated/resources.ts";
import type { CSIDriver, CSINode, CSIStorageCapacity } from "#api/generated/storage-v1.ts";
import { amountOf } from "./amounts.ts";

/** How many volumes of a driver a node can have attached, by the driver's name; a driver that says nothing has no limit. */
export type VolumeLimits = ReadonlyMap<string, number>;

/** What a driver says of the room that it has for new volumes of one class, where its nodes match. */
export interface CapacityView {
  readonly className: string;
  /** The largest volume that can be made; undefined: not known. */
  readonly bytes: number | undefined;
  readonly nodes: LabelSelector | undefined;
}

export const volumeLimitsDeclaration = {
  resource: csinodes,
  project: ({ spec }: CSINode): VolumeLimits =>
    new Map(
      (spec.drivers ?? []).flatMap(({ name, allocatable }) =>
        allocatable?.count === undefined ? [] : [[name, allocatable.count] as const],
      ),
    ),
};

/** Whether a driver publishes CSIStorageCapacity objects that are to be looked at. */
export const publishesCapacityDeclaration = {
  resource: csidrivers,
  project: ({ spec }: CSIDriver): boolean => spec.storageCapacity === true,
};

export const capacityDeclaration = {
  resource: csistoragecapacities,
  indexes: { class: ({ className }: CapacityView): readonly string[] => [className] },
  project: ({ storageClassName, maximumVolumeSize, capacity, nodeTopology }: CSIStorageCapacity): CapacityView => {
    const largest = maximumVolumeSize ?? capacity;
    return {
      className: storageClassName,
      bytes: largest === undefined ? undefined : amountOf("storage", largest),
      nodes: nodeTopology,
    };
  },
};
