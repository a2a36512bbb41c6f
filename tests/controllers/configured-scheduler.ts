import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "../cluster/harness.ts";
import { Api } from "../conformance/cluster.ts";

/** Starts a cluster that is down with `config/scheduler.yaml`; answers what asks its API. */
export function startWithScheduler(cluster: TestCluster, configuration: string): Api {
  const folder = join(cluster.dataDir, "config");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "scheduler.yaml"), configuration);
  const up = cluster.steer("up");
  assert.equal(up.code, 0, up.stderr);
  return new Api(cluster.kubeconfig);
}
