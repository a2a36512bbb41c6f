import assert from "node:assert/strict";
import { test } from "node:test";
import { renderAdvices } from "./advise.ts";
import { bar, sparkline } from "./top.ts";

test("bars and sparklines", () => {
  assert.equal(bar(1, 2, 4), "▕█████░░░░░          ▏");
  assert.equal(bar(undefined, 9, 4), "▕░░░░░░░░░░░░░░░░░░░░▏");
  assert.equal(sparkline([0, 1, 2, 4]), "▁▂▄█");
  assert.equal(sparkline([]), "");
});

test("what was never measured is shown as a question", () => {
  const web = { namespace: "default", workload: "deployment/web", container: "web", pods: 2, requested: { cpu: 0.5 } };
  const workloads = [{ ...web, used: undefined, advised: undefined }];
  const text = renderAdvices({ window: "1d", workloads, nodesNow: 1, nodesAdvised: 1, worstLoss: undefined });
  assert.match(text, /deployment\/web +web +2 +500m +\? +\? +\? +\? +- +\?/);
  assert.match(text, /The requests fill 1 node; as advised they would fill 1 node\./);
});
