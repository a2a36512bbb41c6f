import type { Counter, Family, Metrics } from "#telemetry/metrics.ts";
import type { Zones } from "./zones.ts";

type Counts = ReturnType<Zones["counts"]> extends Iterable<infer One> ? One : never;

/** Tells how zones fare under upstream's names; the counter of nodes that began to be evicted from, by zone. */
export function nodeMeasures(metrics: Metrics, zones: Zones): Counter {
  const family = (name: string, help: string, value: (counts: Counts) => number): Family => ({
    name: `node_collector_${name}`,
    type: "gauge",
    help,
    samples: Array.from(zones.counts(), (counts) => ({ labels: { zone: counts.zone }, value: value(counts) })),
  });
  metrics.collect(() => [
    family("zone_size", "Gauge measuring number of registered Nodes per zones.", ({ nodes }) => nodes),
    family("zone_health", "Gauge measuring percentage of healthy nodes per zone.", ({ nodes, unhealthy }) => {
      return (100 * (nodes - unhealthy)) / nodes;
    }),
    family(
      "unhealthy_nodes_in_zone",
      "Gauge measuring number of not Ready Nodes per zones.",
      ({ unhealthy }) => unhealthy,
    ),
  ]);
  return metrics.counter(
    "node_collector_evictions_total",
    "Number of Node evictions that happened since current instance of NodeController started.",
    ["zone"],
  );
}
