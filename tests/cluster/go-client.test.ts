/** Operators are written in Go: a client-go program with typed clients (protobuf) and informers works without a change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildGoProgram } from "./go-client.ts";
import { startSimulatedCluster } from "./harness.ts";

test("a client-go program with typed clients and informers", (context) => {
  const built = buildGoProgram("go");
  if ("missing" in built) return context.skip(built.missing);
  const cluster = startSimulatedCluster(3);
  try {
    const { code, stdout, stderr } = cluster.run(built.program, [cluster.kubeconfig]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /ok all\n$/);
  } finally {
    cluster.remove();
  }
});
