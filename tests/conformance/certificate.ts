import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestCluster } from "../cluster/harness.ts";
import { unique } from "./cluster.ts";

/** A certificate that nobody signed but itself, for a server of the test's own. */
export function selfSigned(
  cluster: TestCluster,
  subjectAltName: string,
): { readonly cert: Buffer; readonly key: Buffer } {
  const base = join(cluster.dataDir, `server-${unique()}`);
  const made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  const named = ["-subj", "/CN=server", "-addext", `subjectAltName=${subjectAltName}`];
  const { code, stderr } = cluster.run("openssl", [...made, ...named, "-keyout", `${base}.key`, "-out", `${base}.crt`]);
  if (code !== 0) throw new Error(`openssl: ${stderr}`);
  return { cert: readFileSync(`${base}.crt`), key: readFileSync(`${base}.key`) };
}
