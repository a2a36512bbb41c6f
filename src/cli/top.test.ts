import assert from "node:assert/strict";
import { test } from "node:test";
import { renderAdvices } from "./advise.ts";
import { bar, renderTop, sparkline } from "./top.ts";

test("bars and sparklines", () => {
  assert.equal(bar(1, 2, 4), "▕█████░░░░░          ▏");
  assert.equal(bar(undefined, 9, 4), "▕░░░░░░░░░░░░░░░░░░░░▏");
  assert.equal(sparkline([0, 1, 2, 4]), "▁▂▄█");
  assert.equal(sparkline([]), "");
  assert.equal(sparkline([0, 1, 2, 4], 8), "▁▁▂▄", "what was asked for is the full height");
});

test("a cluster without pods says so", () => {
  const cluster = { metadata: { name: "cluster" as const }, window: "1d", nodesNow: 0, nodesAdvised: 0, nodesSaved: 0 };
  for (const text of [renderAdvices({ workloads: [], cluster }), renderTop({ nodes: [], workloads: [] })])
    assert.match(text, /NAMESPACE .*\nNo workload has pods yet\./);
});

test("what was never measured is shown as a question", () => {
  const metadata = { name: "deployment.web", namespace: "default" };
  const containers = [{ name: "web", requested: { cpu: "500m" } }];
  const web = { metadata, workload: "deployment/web", pods: 2, window: "1d", containers };
  const cluster = { metadata: { name: "cluster" as const }, window: "1d", nodesNow: 1, nodesAdvised: 1, nodesSaved: 0 };
  const text = renderAdvices({ workloads: [web], cluster });
  assert.match(text, /deployment\/web +web +2 +500m +\? +\? +\? +\? +- +\?/);
  assert.match(text, /The requests fill 1 node; as advised they would fill 1 node\./);
  assert.match(text, /\?: not measured yet/);
  const use = { metadata, workload: "deployment/web", pods: 2, requested: { cpu: "500m" }, cpuHistory: [] };
  const screen = renderTop({ nodes: [], workloads: [use] });
  assert.match(screen, /deployment\/web +2 +\? +500m +\? +-/);
  assert.match(screen, /\? not measured yet   - nothing asked for/);
});
