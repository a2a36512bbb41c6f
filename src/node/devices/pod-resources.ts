import type { Container, Pod } from "#api/generated/core-v1.ts";
import type { DeviceTopology, ReportedClaim, ReportedDevices, ReportedPod } from "#world/node-plugins.ts";
import type { HeldClaim, HeldDevices } from "./checkpoint.ts";
import { devicesOfContainer } from "./claim-use.ts";

/** What is known of the devices of a node: who holds them, and where they are. */
export interface DeviceFacts {
  readonly held: readonly HeldDevices[];
  readonly claims: readonly HeldClaim[];
  readonly topology: (resource: string, id: string) => DeviceTopology | undefined;
}

/**
 * What monitoring agents are told of a pod: each of its lasting containers with the devices that it holds, each device by itself,
 * as its place in the machine may differ. Pure.
 */
export function reportedPod(pod: Pod, { held, claims, topology }: DeviceFacts): ReportedPod {
  const { name = "", namespace = "", uid } = pod.metadata;
  const sidecars = (pod.spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const own = held.filter(({ podUid }) => podUid === uid);
  return {
    name,
    namespace,
    containers: [...sidecars, ...pod.spec.containers].map((container) => ({
      name: container.name,
      devices: own
        .filter((one) => one.container === container.name)
        .flatMap(({ resource, ids }) => ids.map((id) => reportedDevice(resource, id, topology))),
      claims: claimsOf(pod, container, claims),
    })),
  };
}

/** A device that a plugin serves. Pure. */
export function reportedDevice(resource: string, id: string, topology: DeviceFacts["topology"]): ReportedDevices {
  return { resourceName: resource, ids: [id], topology: topology(resource, id) };
}

function claimsOf(pod: Pod, container: Container, claims: readonly HeldClaim[]): ReportedClaim[] {
  const found = new Map<string, ReportedClaim>();
  for (const { claim, driver, device } of devicesOfContainer(pod, container, claims)) {
    const { name, namespace, uid } = claim;
    const resource = {
      cdiDevices: device.cdiDeviceIds.map((id) => ({ name: id })),
      driver,
      pool: device.poolName,
      device: device.deviceName,
    };
    found.set(uid, { name, namespace, resources: [...(found.get(uid)?.resources ?? []), resource] });
  }
  return [...found.values()];
}
