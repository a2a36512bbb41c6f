import type { Stored } from "../history.ts";
import type { Checker, Report, View } from "./checker.ts";

const policies = "networking.k8s.io/networkpolicies";

/**
 * 52: nothing is made in a namespace that is ending, its pods go before the NetworkPolicies that protect them, and it goes when
 * it is empty.
 */
export function namespaceChecker(view: View, report: Report): Checker {
  const namespaceOf = (name: string): Stored | undefined => view.history.get(`/registry/core/namespaces/${name}`);
  const inside = (resource: string, namespace: string): string[] =>
    [...view.history.all(resource)].flatMap(([key, { metadata }]) => (metadata.namespace === namespace ? [key] : []));
  return {
    name: "namespaces",
    changed(changes) {
      for (const { resource, key, before, current, revision } of changes) {
        const namespace = (current ?? before)?.metadata.namespace ?? "";
        if (before === undefined && current !== undefined && namespace !== "") {
          const home = namespaceOf(namespace);
          if (home?.metadata.deletionTimestamp !== undefined)
            report("52 creation", `${key} was made at ${revision}, and its namespace is ending`);
        }
        if (resource === policies && current === undefined) {
          const isEnding = namespaceOf(namespace)?.metadata.deletionTimestamp !== undefined;
          const [pod] = inside("pods", namespace);
          if (isEnding && pod !== undefined)
            report("52 order", `${key} went at ${revision}, and ${pod}, which it protects, is still there`);
        }
        if (resource === "namespaces" && current === undefined) {
          for (const other of view.history.resources()) {
            const [left] = inside(other, before?.metadata.name ?? "");
            if (left !== undefined) report("52 emptiness", `${key} went at ${revision}, and ${left} is in it`);
          }
        }
      }
    },
  };
}
