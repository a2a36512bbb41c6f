/** What the conformance suite asks, from the folder of facts beside the project, and how much of it has a test here. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";

const file = join(import.meta.dirname, "../../../shared/k8s-1.36/conformance.md");

/** Published names of the tests in these sections (`sig-apps`); undefined where the facts are not on this machine. */
function askedNames(sections: readonly string[]): string[] | undefined {
  if (!existsSync(file)) return undefined;
  const names: string[] = [];
  let isWanted = false;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line.startsWith("## ")) isWanted = sections.includes(line.slice(3).trim());
    const name = /— \*(.+)\*$/.exec(line)?.[1];
    if (isWanted && name !== undefined) names.push(name);
  }
  return names;
}

/** Counts the lines that have a test; fails for those that have none, and for a test whose name nobody asked for. */
export function reportCoverage(context: TestContext, sections: readonly string[], tested: ReadonlySet<string>): void {
  const asked = askedNames(sections);
  if (asked === undefined) return context.skip("the facts of Kubernetes 1.36 are not on this machine");
  const missing = asked.filter((name) => !tested.has(name));
  context.diagnostic(`${asked.length - missing.length} of ${asked.length} lines are covered`);
  if (missing.length > 0) throw new Error(`these lines have no test: ${missing.join("; ")}`);
  const unknown = [...tested].filter((name) => !asked.includes(name));
  if (unknown.length > 0) throw new Error(`these tests bear names that nobody asked for: ${unknown.join("; ")}`);
}
