/** Operators are written in Go: a client-go program with typed clients (protobuf) and informers works without a change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildGoClient, hasGo } from "./go-client.ts";
import { startSimulatedCluster } from "./harness.ts";

test(
  "a client-go program with typed clients and informers",
  { skip: hasGo ? false : "Go is not on this machine" },
  () => {
    const program = buildGoClient();
    const cluster = startSimulatedCluster(3);
    try {
      const { code, stdout, stderr } = cluster.run(program, [cluster.kubeconfig]);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /ok all\n$/);
    } finally {
      cluster.remove();
    }
  },
);
