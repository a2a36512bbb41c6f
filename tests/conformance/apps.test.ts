/** The conformance suite's tests of workloads and of placing them, by their published names, on simulated and on real nodes. */
import { after, before, describe, test } from "node:test";
import { isRoot, startRealCluster, type TestCluster } from "../cluster/harness.ts";
import { budgets } from "./apps-budgets.ts";
import { alsoOnRealNode, loadImages, onRealNode } from "./apps-containers.ts";
import { daemonSets } from "./apps-daemonsets.ts";
import { deployments } from "./apps-deployments.ts";
import { jobs } from "./apps-jobs.ts";
import { replicationControllers } from "./apps-replicationcontrollers.ts";
import { statefulSets } from "./apps-statefulsets.ts";
import { startSuite } from "./cluster.ts";
import { reportCoverage } from "./lines.ts";
import { scheduling } from "./scheduling.ts";

const together = { ...budgets, ...daemonSets, ...deployments, ...jobs, ...replicationControllers, ...statefulSets };
const suite = startSuite();
after(() => suite.stop());

describe("on simulated nodes", { concurrency: 8 }, () => {
  for (const [name, run] of Object.entries(together)) test(name, () => suite.play(run));
});

describe("on simulated nodes, one after the other", () => {
  for (const [name, run] of Object.entries(scheduling)) test(name, () => suite.play(run));
});

describe("on a real node", { skip: isRoot ? false : "real containers need root" }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = startRealCluster();
    await loadImages(cluster);
  });
  after(() => cluster?.remove());
  for (const [name, run] of Object.entries({ ...onRealNode, ...alsoOnRealNode })) test(name, () => run(cluster));
});

test("each published line of these groups has a test here", (context) => {
  const names = [together, scheduling, onRealNode].flatMap((tests) => Object.keys(tests));
  reportCoverage(context, ["sig-apps", "sig-scheduling"], new Set(names));
});
