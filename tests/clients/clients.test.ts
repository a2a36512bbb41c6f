/** Programs as their users write them, in three languages, against one cluster with simulated nodes. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { buildGoProgram } from "../cluster/go-client.ts";
import { projectRoot, startSimulatedCluster } from "../cluster/harness.ts";

const installTimeoutMs = 60_000;
const here = import.meta.dirname;
const cluster = startSimulatedCluster(2);
after(() => cluster.remove());

function succeeds(command: string, ...args: string[]): void {
  const { code, stdout, stderr } = cluster.run(command, args);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, /ok all\n$/);
}

test("TypeScript: informers, watches, patches and custom objects with @kubernetes/client-node", () => {
  succeeds(process.execPath, join(here, "node-client.ts"), cluster.kubeconfig);
});

test("Go: a controller of controller-runtime; an object of every kind is written back and stays as it was", (context) => {
  const built = buildGoProgram("controller");
  if ("missing" in built) return context.skip(built.missing);
  succeeds(built.program, cluster.kubeconfig, join(here, "controller/objects.yaml"));
});

test("Python: typed calls, watches, patches and the dynamic client with the package kubernetes", (context) => {
  const python = pythonWithClient();
  if ("missing" in python) return context.skip(python.missing);
  succeeds(python.program, join(here, "python/client.py"), cluster.kubeconfig);
});

/** A Python of its own, with the client; or why this machine cannot have it. */
function pythonWithClient(): { readonly program: string } | { readonly missing: string } {
  const folder = join(projectRoot, "node_modules/.cache/python-client");
  const program = join(folder, "bin/python");
  const works = (): boolean => spawnSync(program, ["-c", "import kubernetes"]).status === 0;
  if (existsSync(program) && works()) return { program };
  const made = spawnSync("python3", ["-m", "venv", folder], { timeout: installTimeoutMs });
  if (made.status !== 0) return { missing: "Python with venv is not on this machine" };
  const args = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "kubernetes==37.0.2"];
  spawnSync(program, args, { timeout: installTimeoutMs });
  return works() ? { program } : { missing: "the Python client cannot be fetched here" };
}
