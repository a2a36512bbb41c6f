import { parseQuantity, quantityToNumber } from "#codec/quantity.ts";
import type { FamilyBuilder, StateObject } from "./builder.ts";

export interface StateVolume extends StateObject {
  readonly phase: string;
  readonly className: string;
  readonly spec: {
    readonly capacity?: Readonly<Record<string, string>>;
    readonly csi?: { readonly driver?: string; readonly volumeHandle?: string };
    readonly nfs?: { readonly server?: string; readonly path?: string };
    readonly local?: { readonly path?: string; readonly fsType?: string };
    readonly hostPath?: { readonly path?: string; readonly type?: string };
  };
}

export interface StateClaim extends StateObject {
  readonly className: string;
  readonly spec: {
    readonly volumeName?: string;
    readonly accessModes?: readonly string[];
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  };
  readonly status: { readonly phase?: string };
}

export interface StateStorageClass extends StateObject {
  readonly provisioner: string;
  readonly reclaimPolicy: string;
  readonly waits: boolean;
}

/** kube-state-metrics' series of volumes, claims and their classes. */
export function volumeStates(into: FamilyBuilder, volumes: Iterable<StateVolume>): void {
  for (const { name, phase, className, createdMs, spec } of volumes) {
    const labels = { persistentvolume: name };
    const told = {
      storageclass: className,
      csi_driver: spec.csi?.driver ?? "",
      csi_volume_handle: spec.csi?.volumeHandle ?? "",
      nfs_server: spec.nfs?.server ?? "",
      nfs_path: spec.nfs?.path ?? "",
      local_path: spec.local?.path ?? "",
      local_fs: spec.local?.fsType ?? "",
      host_path: spec.hostPath?.path ?? "",
      host_path_type: spec.hostPath?.type ?? "",
    };
    into.gauge("kube_persistentvolume_info", "Information about persistentvolume.", { ...labels, ...told }, 1);
    into.gauge("kube_persistentvolume_created", "Unix creation timestamp", labels, createdMs / 1000);
    const bytes = amountOf(spec.capacity?.["storage"]);
    into.gauge("kube_persistentvolume_capacity_bytes", "Persistentvolume capacity in bytes.", labels, bytes);
    const phases = ["Available", "Bound", "Failed", "Pending", "Released"];
    const help = "The phase indicates if a volume is available, bound to a claim, or released by a claim.";
    into.states("kube_persistentvolume_status_phase", help, labels, "phase", phases, phase);
  }
}

export function claimStates(into: FamilyBuilder, claims: Iterable<StateClaim>): void {
  const prefix = "kube_persistentvolumeclaim";
  for (const { namespace, name, className, createdMs, spec, status } of claims) {
    const labels = { namespace, persistentvolumeclaim: name };
    const told = { storageclass: className, volumename: spec.volumeName ?? "" };
    into.gauge(`${prefix}_info`, "Information about persistent volume claim.", { ...labels, ...told }, 1);
    into.gauge(`${prefix}_created`, "Unix creation timestamp", labels, createdMs / 1000);
    for (const mode of spec.accessModes ?? [])
      into.gauge(`${prefix}_access_mode`, "The access modes of the claim.", { ...labels, access_mode: mode }, 1);
    const bytes = amountOf(spec.resources?.requests?.["storage"]);
    into.gauge(`${prefix}_resource_requests_storage_bytes`, "The capacity that the claim asks for.", labels, bytes);
    const phase = status.phase ?? "Pending";
    into.states(
      `${prefix}_status_phase`,
      "The phase of the claim.",
      labels,
      "phase",
      ["Bound", "Lost", "Pending"],
      phase,
    );
  }
}

export function storageClassStates(into: FamilyBuilder, classes: Iterable<StateStorageClass>): void {
  for (const { name, createdMs, provisioner, reclaimPolicy, waits } of classes) {
    const labels = { storageclass: name };
    const mode = waits ? "WaitForFirstConsumer" : "Immediate";
    const told = { provisioner, reclaim_policy: reclaimPolicy, volume_binding_mode: mode };
    into.gauge("kube_storageclass_info", "Information about storageclass.", { ...labels, ...told }, 1);
    into.gauge("kube_storageclass_created", "Unix creation timestamp", labels, createdMs / 1000);
  }
}

/** Undefined when it is none: no series then. */
export function amountOf(text: string | undefined): number | undefined {
  const parsed = parseQuantity(text ?? "");
  return parsed.ok ? quantityToNumber(parsed.quantity) : undefined;
}
