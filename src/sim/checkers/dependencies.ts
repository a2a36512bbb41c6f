import type { Checker, Report, View } from "./checker.ts";
import { isTrue } from "./facts.ts";

const annotation = "steersman.dev/depends-on";

/** What depends on a Deployment gets a node for its first pod only after that Deployment was available once. */
export function dependencyChecker(view: View, report: Report): Checker {
  const wereThere = new Set<string>();
  return {
    name: "dependencies",
    changed(changes) {
      for (const { resource, current, before } of changes) {
        if (current === undefined) continue;
        if (resource === "apps/deployments" && isTrue(current, "Available"))
          wereThere.add(`deployment/${current.metadata.name}`);
        if (resource !== "pods" || current.spec?.["nodeName"] === before?.spec?.["nodeName"]) continue;
        const job = current.metadata.ownerReferences?.find(({ kind }) => kind === "Job")?.name;
        const owner = view.history.get(`/registry/batch/jobs/${current.metadata.namespace}/${job}`);
        const needs = owner?.metadata.annotations?.[annotation];
        if (needs !== undefined && !wereThere.has(needs))
          report("dependencies", `${current.metadata.name} got a node, and ${needs} was not there before`);
      }
    },
  };
}
