/** Operators are written in Go: a client-go program with typed clients (protobuf) and informers works without a change. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot, startSimulatedCluster } from "./harness.ts";

const hasGo = spawnSync("go", ["version"]).status === 0;

test("a client-go program with typed clients and informers", { skip: hasGo ? false : "Go is not on this machine" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "steer-go-"));
  const program = join(folder, "client");
  const built = spawnSync("go", ["build", "-o", program, "."], { cwd: join(projectRoot, "tests/clients/go"), encoding: "utf8" });
  assert.equal(built.status, 0, built.stderr);
  const cluster = startSimulatedCluster(3);
  try {
    const { code, stdout, stderr } = cluster.run(program, [cluster.kubeconfig]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /ok all\n$/);
  } finally {
    cluster.remove();
    rmSync(folder, { recursive: true, force: true });
  }
});
