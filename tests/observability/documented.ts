import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../cluster/harness.ts";

/** The families that a section of docs/metrics.md names in the first cells of its tables. */
export function documentedFamilies(heading: string): ReadonlySet<string> {
  const [, section] = readFileSync(join(projectRoot, "docs/metrics.md"), "utf8").split(`\n## ${heading}\n`);
  if (section === undefined) throw new Error(`docs/metrics.md has no section ${heading}`);
  const rows = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| "));
  return new Set(rows.flatMap((row) => (row.split("|")[1] ?? "").match(/[a-z]+(?:_[A-Za-z0-9]+)+/g) ?? []));
}

/** The families of a page, those without a sample among them. */
export function servedFamilies(page: string): ReadonlySet<string> {
  return new Set(Array.from(page.matchAll(/^# TYPE (\S+) /gm), ([, name = ""]) => name));
}

/** The document shortens `kube_deployment_spec_replicas` to `_spec_replicas` beside `kube_deployment_created`. */
export function isNamedIn(document: string, series: string): boolean {
  const name = series.replace(/_(bucket|sum|count)$/, "");
  if (document.includes(name)) return true;
  const [, kind, rest] = /^(kube_[a-z]+)(_.*)$/.exec(name) ?? [];
  return kind !== undefined && document.includes(`${kind}_created`) && document.includes(` ${rest}`);
}
