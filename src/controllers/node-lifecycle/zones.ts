import { limits } from "../limits.ts";
import type { NodeView } from "../views/node.ts";

export type ZoneState = "normal" | "partly-disrupted" | "disrupted";

/** How a zone fares: when most of it is unhealthy, the fault is more likely ours or the network's than each node's. */
export function zoneStateOf(nodes: readonly NodeView[]): ZoneState {
  const unhealthy = nodes.filter((node) => !isHealthy(node)).length;
  if (unhealthy > 0 && unhealthy === nodes.length) return "disrupted";
  if (unhealthy > 2 && unhealthy / nodes.length >= limits.unhealthyZonePart) return "partly-disrupted";
  return "normal";
}

export function isHealthy(node: NodeView): boolean {
  const ready = node.conditions.find((condition) => condition.type === "Ready");
  return ready === undefined || ready.status === "True";
}

/** Nodes that may begin to be evicted from per second. When every zone is disrupted, nothing is evicted at all. */
export function evictionRate(
  zone: readonly NodeView[],
  allZones: readonly (readonly NodeView[])[],
): number | "called off" {
  if (allZones.every((nodes) => zoneStateOf(nodes) === "disrupted")) return "called off";
  if (zoneStateOf(zone) !== "partly-disrupted") return limits.nodeEvictionsPerSecond;
  return zone.length > limits.largeZoneNodes ? limits.nodeEvictionsPerSecondDisrupted : 0;
}
