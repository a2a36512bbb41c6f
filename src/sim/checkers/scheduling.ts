import type { Stored } from "../history.ts";
import { allocatableOf, isTerminal, repelling, requestOf, taintsOf } from "./facts.ts";
import type { Checker, Report, View } from "./checker.ts";

/** Taints that stood this long before a bind, the scheduler has seen. Milliseconds. */
const seenByAllMs = 120_000;

/**
 * 54: what the pods of a node ask for is never more than it has. 55: no pod is bound to a node that repels it, beside one that it
 * wants no node with, or while a gate holds it.
 */
export function schedulingChecker(view: View, report: Report): Checker {
  /** Since when a node has a taint, by node and taint. */
  const taintedMs = new Map<string, number>();
  return {
    name: "scheduling",
    changed(changes) {
      for (const { resource, current, before, key, revision } of changes) {
        if (resource === "nodes") follow(current ?? before, current === undefined, taintedMs, view.now());
        if (resource !== "pods" || current === undefined) continue;
        const nodeName = current.spec?.["nodeName"] as string | undefined;
        if (nodeName === undefined || before?.spec?.["nodeName"] === nodeName) continue;
        const node = view.history.get(`/registry/core/nodes/${nodeName}`);
        // The scheduler may not have seen yet that a node went.
        if (node === undefined) continue;
        for (const taint of repelling(node, current)) {
          if (view.now() - (taintedMs.get(`${nodeName} ${taint.key}:${taint.effect}`) ?? Infinity) > seenByAllMs)
            report(
              "55 taints",
              `${key} was bound to ${nodeName} at ${revision}, which has ${taint.key}:${taint.effect}`,
            );
        }
        const pods = [...view.history.all("pods").values()].filter(
          (pod) => pod.spec?.["nodeName"] === nodeName && !isTerminal(pod),
        );
        if (((current.spec?.["schedulingGates"] ?? []) as readonly unknown[]).length > 0)
          report("55 gates", `${key} was bound to ${nodeName} at ${revision}, and a gate holds it`);
        const other = pods.find((one) => one !== current && (avoids(current, one) || avoids(one, current)));
        if (other !== undefined)
          report("55 anti-affinity", `${key} was bound to ${nodeName} at ${revision}, beside ${other.metadata.name}`);
        if (pods.length > allocatableOf(node, "pods"))
          report("54 capacity", `${nodeName} has ${pods.length} pods with ${key} at ${revision}`);
        for (const name of ["cpu", "memory"]) {
          const asked = pods.reduce((sum, pod) => sum + requestOf(pod, name), 0);
          const most = allocatableOf(node, name);
          if (asked > most)
            report(
              "54 capacity",
              `pods of ${nodeName} ask for ${asked} of ${name} with ${key} at ${revision}, it has ${most}`,
            );
        }
      }
    },
  };
}

interface Term {
  readonly topologyKey?: string;
  readonly labelSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

/** Whether a pod wants no node with another. The simulation uses labels of one namespace and nodes alone. */
function avoids({ metadata, spec }: Stored, other: Stored): boolean {
  const affinity = spec?.["affinity"] as { podAntiAffinity?: Readonly<Record<string, readonly Term[]>> } | undefined;
  const terms = affinity?.podAntiAffinity?.["requiredDuringSchedulingIgnoredDuringExecution"] ?? [];
  return terms.some(
    ({ topologyKey, labelSelector }) =>
      topologyKey === "kubernetes.io/hostname" &&
      metadata.namespace === other.metadata.namespace &&
      Object.entries(labelSelector?.matchLabels ?? {}).every(([key, value]) => other.metadata.labels?.[key] === value),
  );
}

function follow(node: Stored | undefined, isGone: boolean, taintedMs: Map<string, number>, now: number): void {
  if (node === undefined) return;
  const { name } = node.metadata;
  const taints = new Set(isGone ? [] : taintsOf(node).map(({ key, effect }) => `${name} ${key}:${effect}`));
  for (const known of taintedMs.keys()) if (known.startsWith(`${name} `) && !taints.has(known)) taintedMs.delete(known);
  for (const taint of taints) if (!taintedMs.has(taint)) taintedMs.set(taint, now);
}
