/** The conformance suite's tests of the API and of kubectl that need containers and a real network, by their published names. */
import { after, before, describe, test } from "node:test";
import { isRoot, startRealCluster, type TestCluster } from "../cluster/harness.ts";
import { loadImages } from "./apps-containers.ts";
import { containerTests } from "./container-tests.ts";

describe("on a real node", { skip: isRoot ? false : "real containers need root" }, () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = startRealCluster();
    await loadImages(cluster);
  });
  after(() => cluster?.remove());
  for (const [name, run] of Object.entries(containerTests)) test(name, () => run(cluster));
});
