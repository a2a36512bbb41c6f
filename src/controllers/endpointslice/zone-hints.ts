import type { Endpoint } from "#api/generated/discovery-v1.ts";
import { quantityOf, quantityToNumber } from "#codec/quantity.ts";
import type { NodeView } from "../views/node.ts";
import type { PortGroup } from "./endpoints-of.ts";

/** How much busier than its share of the cluster's processors a zone's endpoints may become. */
const overload = 1.2;
/** Such nodes take part in no sharing: what people call is elsewhere. */
const controlPlaneLabels = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/** Processors that a node brings into its zone: 0 when it takes no part, undefined when it does not say. */
export function processorsOf(node: NodeView): number | undefined {
  const isReady = node.conditions.some(({ type, status }) => type === "Ready" && status === "True");
  if (!isReady || controlPlaneLabels.some((label) => node.labels[label] !== undefined)) return 0;
  const processors = quantityToNumber(quantityOf(node.allocatable["cpu"] ?? "0"));
  return node.topologyZone === "" || processors === 0 ? undefined : processors;
}

/** The part of the cluster's processors that each zone has; undefined when a node does not say its zone or its processors. */
export function zoneShares(nodes: readonly NodeView[]): ReadonlyMap<string, number> | undefined {
  const zones = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    const processors = processorsOf(node);
    if (processors === undefined) return undefined;
    if (processors === 0) continue;
    total += processors;
    zones.set(node.topologyZone, (zones.get(node.topologyZone) ?? 0) + processors);
  }
  return new Map([...zones].map(([zone, processors]) => [zone, processors / total]));
}

/**
 * Gives each zone endpoints by its share of the processors, its own first; none get a hint where that would overload some. Pure.
 * https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/#safeguards
 */
export function withZoneHints(
  groups: readonly PortGroup[],
  shares: ReadonlyMap<string, number> | undefined,
): PortGroup[] {
  const zoneOf = new Map<Endpoint, string>();
  for (const ofFamily of Map.groupBy(groups, ({ addressType }) => addressType).values()) {
    const ready = ofFamily.flatMap(({ endpoints }) => endpoints.filter(({ conditions }) => conditions?.ready === true));
    for (const [endpoint, zone] of assign(ready, shares ?? new Map())) zoneOf.set(endpoint, zone);
  }
  const hinted = (endpoint: Endpoint): Endpoint => {
    const name = zoneOf.get(endpoint);
    return name === undefined ? endpoint : { ...endpoint, hints: { forZones: [{ name }] } };
  };
  return groups.map((group) => ({ ...group, endpoints: group.endpoints.map(hinted) }));
}

interface Zone {
  readonly name: string;
  /** Fewer would be too busy. */
  readonly least: number;
  readonly desired: number;
  readonly endpoints: Endpoint[];
}

/** The zone that each endpoint is for; empty when there is no fair way. */
function assign(ready: readonly Endpoint[], shares: ReadonlyMap<string, number>): Map<Endpoint, string> {
  const isPossible = shares.size >= 2 && shares.size <= ready.length && ready.every(({ zone = "" }) => zone !== "");
  if (!isPossible) return new Map();
  // The same order whoever else is there: when one comes or goes, most keep their zones.
  const inOrder = ready.toSorted((a, b) => ((a.targetRef?.uid ?? "") < (b.targetRef?.uid ?? "") ? -1 : 1));
  const byZone = Map.groupBy(inOrder, ({ zone = "" }) => zone);
  const zones = [...new Set([...shares.keys(), ...byZone.keys()])].sort().map((name): Zone => {
    const fair = (shares.get(name) ?? 0) * ready.length;
    const least = Math.ceil(fair / overload);
    return { name, least, desired: Math.max(fair, least), endpoints: byZone.get(name) ?? [] };
  });
  if (zones.reduce((sum, { least }) => sum + least, 0) > ready.length) return new Map();
  // Each move takes from who has too many: at most every endpoint moves once.
  for (let moves = 0; moves < ready.length && move(zones); moves++);
  return new Map(zones.flatMap(({ name, endpoints }) => endpoints.map((endpoint) => [endpoint, name] as const)));
}

/** Moves one endpoint to the zone that needs it most; answers false when all have what they need. */
function move(zones: readonly Zone[]): boolean {
  const excess = ({ desired, endpoints }: Zone): number => endpoints.length - desired;
  const lacks = ({ least, endpoints }: Zone): boolean => endpoints.length < least;
  const [taker] = zones.toSorted((a, b) => Number(lacks(b)) - Number(lacks(a)) || excess(a) - excess(b));
  const [giver] = zones
    .filter((zone) => zone !== taker && zone.endpoints.length > zone.least)
    .toSorted((a, b) => excess(b) - excess(a));
  if (taker === undefined || giver === undefined) return false;
  if (!lacks(taker) && Math.min(-excess(taker), excess(giver)) < 1) return false;
  taker.endpoints.push(giver.endpoints.pop()!);
  return true;
}
