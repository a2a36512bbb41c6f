import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./harness.ts";

export const hasGo = spawnSync("go", ["version"]).status === 0;

/** Builds tests/clients/go and answers the program's path. Go's own cache makes a second build quick. */
export function buildGoClient(): string {
  const folder = join(projectRoot, "node_modules/.cache/go-client");
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "client");
  const built = spawnSync("go", ["build", "-o", program, "."], {
    cwd: join(projectRoot, "tests/clients/go"),
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`Cannot build the client-go program: ${built.stderr}`);
  return program;
}
