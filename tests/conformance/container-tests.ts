import type { TestCluster } from "../cluster/harness.ts";
import { sampleApiServer } from "./aggregation.ts";
import { filteredLogs, guestbook } from "./kubectl-containers.ts";

export const containerTests: Readonly<Record<string, (cluster: TestCluster) => Promise<void>>> = {
  "Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator [LinuxOnly]":
    sampleApiServer,
  "Kubectl client Guestbook application should create and stop a working application": guestbook,
  "Kubectl logs logs should be able to retrieve and filter logs": filteredLogs,
};
