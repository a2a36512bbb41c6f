import type { ContainerPort, Pod } from "#api/generated/core-v1.ts";
import { isPodTerminal } from "#api/pod-readiness.ts";
import { podRequests } from "#api/pod-resources.ts";
import { quantityToNumber } from "#codec/quantity.ts";

/** What a node has for its pods. */
export interface AdmissionRoom {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly pods: number;
}

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

/**
 * Why a pod that was put on this node cannot run here, whoever put it there: a taken host port, or not enough room beside the
 * pods that are here. Pure. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-admission
 */
export function refusalOf(pod: Pod, others: readonly Pod[], room: AdmissionRoom): Refusal | undefined {
  const active = others.filter((other) => !isPodTerminal(other));
  const taken = active.flatMap(hostPorts);
  if (hostPorts(pod).some((port) => taken.some((other) => collides(port, other)))) {
    const message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports";
    return { reason: "NodePorts", message: `Pod was rejected: ${message}` };
  }
  const asks = (candidate: Pod, name: string): number => {
    const quantity = podRequests(candidate)[name];
    return quantity === undefined ? 0 : quantityToNumber(quantity);
  };
  const capacities = { cpu: room.cpuMilli / 1000, memory: room.memoryBytes };
  for (const [name, capacity] of Object.entries(capacities)) {
    const requested = asks(pod, name);
    const used = active.reduce((sum, other) => sum + asks(other, name), 0);
    if (requested > 0 && used + requested > capacity) return outOf(name, requested, used, capacity);
  }
  return active.length + 1 > room.pods ? outOf("pods", 1, active.length, room.pods) : undefined;
}

function outOf(name: string, requested: number, used: number, capacity: number): Refusal {
  const unit = name === "cpu" ? 1000 : 1;
  const [ask, have, all] = [requested, used, capacity].map((amount) => Math.round(amount * unit));
  const message = `Node didn't have enough resource: ${name}, requested: ${ask}, used: ${have}, capacity: ${all}`;
  return { reason: `OutOf${name}`, message: `Pod was rejected: ${message}` };
}

function hostPorts({ spec }: Pod): ContainerPort[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...spec.containers, ...sidecars].flatMap(({ ports = [] }) =>
    ports.filter(({ hostPort = 0 }) => hostPort > 0),
  );
}

function collides(a: ContainerPort, b: ContainerPort): boolean {
  if (a.hostPort !== b.hostPort || (a.protocol ?? "TCP") !== (b.protocol ?? "TCP")) return false;
  const [own, other] = [a.hostIP || "0.0.0.0", b.hostIP || "0.0.0.0"];
  return own === other || own === "0.0.0.0" || other === "0.0.0.0";
}
