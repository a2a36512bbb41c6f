import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#api/generated/core-v1.ts";
import { SeededRandom } from "#base/seeded-random.ts";
import { nodeDeclaration, type NodeView } from "../views/node.ts";
import { isHealthy, Zones } from "./zones.ts";

function node(name: string, zone: string, healthy: boolean): NodeView {
  const made: object = {
    metadata: { name, uid: name, labels: { "topology.kubernetes.io/zone": zone } },
    spec: {},
    status: { conditions: [{ type: "Ready", status: healthy ? "True" : "Unknown" }] },
  };
  return nodeDeclaration.project(made as Node);
}

/** The rule as upstream's documentation words it, looking at all nodes each time. */
function plainRate(zone: string, all: readonly NodeView[]): number | "called off" {
  const zones = [...Map.groupBy(all, (one) => one.zone)];
  const fallen = (nodes: readonly NodeView[]): number => nodes.filter((one) => !isHealthy(one)).length;
  if (zones.every(([, nodes]) => fallen(nodes) === nodes.length)) return "called off";
  const own = zones.find(([name]) => name === zone)?.[1] ?? [];
  const lost = fallen(own);
  if (lost === own.length || lost <= 2 || lost / own.length < 0.55) return 0.1;
  return own.length > 50 ? 0.01 : 0;
}

test("counted node by node, zones are judged as by a look at all nodes; whoever has a new pace is told", () => {
  const random = new SeededRandom("zones");
  const zones = new Zones();
  const known = new Map<string, NodeView>();
  const names = ["a", "b", "c"];
  const ratesOf = (all: readonly NodeView[]): (number | "called off")[] => names.map((zone) => plainRate(zone, all));
  for (let step = 0; step < 3_000; step += 1) {
    const name = `n${random.below(90)}`;
    const old = known.get(name);
    const isGone = old !== undefined && random.below(8) === 0;
    // Waves: mostly healthy, then mostly not, so that each state is met.
    const healthy = random.below(10) < (step % 600 < 300 ? 8 : 1);
    const current = isGone ? undefined : node(name, names[random.below(10) < 8 ? 0 : 1 + random.below(2)]!, healthy);
    const before = known.size === 0 ? undefined : ratesOf([...known.values()]);
    const affected = zones.change(old, current);
    if (current === undefined) known.delete(name);
    else known.set(name, current);
    if (known.size === 0) continue;
    const after = ratesOf([...known.values()]);
    assert.deepEqual(
      names.map((zone) => zones.evictionRate(zone)),
      after,
    );
    if (before === undefined) continue;
    const changed = names.filter((_, at) => before[at] !== after[at]);
    const touched = new Set([old?.zone, current?.zone]);
    const untold = changed.filter((zone) => affected === "nobody" || (affected === "zone" && !touched.has(zone)));
    assert.deepEqual(untold, [], `step ${step}: ${affected}`);
  }
});

test("5,000 nodes that fall together tell the others a few times, not 5,000 times", () => {
  const zones = new Zones();
  const names = Array.from({ length: 5_000 }, (_, at) => ({ name: `n${at}`, zone: `z${at % 3}` }));
  for (const { name, zone } of names) zones.change(undefined, node(name, zone, true));
  const told = names.map(({ name, zone }) => zones.change(node(name, zone, true), node(name, zone, false)));
  assert.ok(
    told.filter((affected) => affected !== "nobody").length <= 7,
    told.filter((one) => one !== "nobody").join(),
  );
  assert.equal(zones.evictionRate("z0"), "called off");
});
