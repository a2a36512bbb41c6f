/**
 * The conformance suite's tests of the API, clients and identities, by their published names, against a running cluster. What is
 * asked stands in the folder of facts beside the project; a line without a test here is counted, so that the gap is seen.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { apiMachinery } from "./api-machinery.ts";
import { auth } from "./auth.ts";
import { startSuite, type Conformance } from "./cluster.ts";
import { containerTests } from "./container-tests.ts";
import { conversion } from "./conversion.ts";
import { customResources } from "./custom-resources.ts";
import { kubectl } from "./kubectl.ts";
import { policies } from "./policies.ts";
import { quotas } from "./quotas.ts";
import { webhooks } from "./webhooks.ts";

const sections = ["sig-api-machinery", "sig-auth", "sig-cli", "sig-instrumentation"];
const tests: ReadonlyMap<string, Conformance> = new Map([
  ...Object.entries(apiMachinery),
  ...Object.entries(auth),
  ...Object.entries(conversion),
  ...Object.entries(customResources),
  ...Object.entries(kubectl),
  ...Object.entries(policies),
  ...Object.entries(quotas),
  ...Object.entries(webhooks),
]);

const file = join(import.meta.dirname, "../../../shared/k8s-1.36/conformance.md");

const suite = startSuite();
after(() => suite.stop());
for (const [name, run] of tests) test(name, () => suite.play(run));

test("each published line of these groups has a test here", (context) => {
  if (!existsSync(file)) return context.skip("the facts of Kubernetes 1.36 are not on this machine");
  const asked = askedLines(readFileSync(file, "utf8"));
  const missing = asked.filter((name) => !tests.has(name) && !(name in containerTests));
  context.diagnostic(
    `${asked.length - missing.length} of ${asked.length} lines are covered, ${missing.length} are not:`,
  );
  for (const name of missing) context.diagnostic(`  not covered: ${name}`);
  const unknown = [...tests.keys()].filter((name) => !asked.includes(name));
  if (unknown.length > 0) throw new Error(`these tests bear names that nobody asked for: ${unknown.join("; ")}`);
});

function askedLines(text: string): string[] {
  const names: string[] = [];
  let isWanted = false;
  for (const line of text.split("\n")) {
    if (line.startsWith("## ")) isWanted = sections.includes(line.slice(3).trim());
    const name = /— \*(.+)\*$/.exec(line)?.[1];
    if (isWanted && name !== undefined) names.push(name);
  }
  return names;
}
