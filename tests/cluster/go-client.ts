import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./harness.ts";

const buildTimeoutMs = 240_000;

const hasGo = spawnSync("go", ["version"]).status === 0;

/** A program's path, or why this machine cannot have it. */
export type Built = { readonly program: string } | { readonly missing: string };

/** Builds a folder of tests/clients. Go's own cache makes a second build quick. Throws when the program is wrong. */
export function buildGoProgram(name: "go" | "controller" | "prometheus"): Built {
  if (!hasGo) return { missing: "Go is not on this machine" };
  const folder = join(projectRoot, `node_modules/.cache/${name}-client`);
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "client");
  const cwd = join(projectRoot, "tests/clients", name);
  // A cold cache makes minutes of work for every core: clusters of other tests go first.
  const run = (...args: string[]) =>
    spawnSync("nice", ["-n", "19", "go", ...args], { cwd, encoding: "utf8", timeout: buildTimeoutMs });
  // What cannot be fetched is no fault of the program; only the modules are fetched that it is made of.
  if (run("list", "-deps", ".").status !== 0) return { missing: "its Go modules cannot be fetched here" };
  const built = run("build", "-o", program, ".");
  if (built.error !== undefined) return { missing: `Go did not build it within ${buildTimeoutMs / 1000} s` };
  if (built.status !== 0) throw new Error(`Cannot build tests/clients/${name}: ${built.stderr}`);
  return { program };
}
